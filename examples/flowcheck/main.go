// Command flowcheck tells what is wrong with flows before a call does, a finding a line:
//
//	flowcheck [-sarif] [-lenient] [-without LIST] [-schema] FILE...
//
// A FILE holds a flow, as JSON; of a folder it is all *.json files, - is standard input. The
// status is 1 where a flow has an error, 2 where a file cannot be read, and 0 where there are
// warnings at most. Flows are checked as for a server that can do everything, -without takes
// something away: types of actions, which are then errors where they stand, or what is in powers.
// -schema prints the JSON Schema of flows, for editors.
//
// -format twiml or ncco reads a document of Twilio or Vonage, as a file called *.xml or *.twiml is read in any case, and lists what of it cannot
// be expressed; -convert prints the flow that it becomes. -base is the URL of the document, where its relative URLs start.
//
//	flowcheck explain [-flows DIR] [-config FILE] [-from CALLER] [-peer ADDRESS] [-header NAME:VALUE]... [-to DESTINATION] [-at TIME] [-digits LIST] [-var NAME=VALUE]...
//
// tells what examples/server would do with a call, without one: how it reads caller and destination, which checks of the
// caller it makes, which flow it chooses, and which actions run, with their options. Where that depends on what nobody knows before the
// call, each way is shown, and each part of them once. The flags of the server mean the same here. The status is 2 where the
// question makes no sense, and 1 where the flows keep a server from starting.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	_ "time/tzdata" // condition_datetime knows its time zones on any machine

	"github.com/callbin/callbin/flow"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the command; it returns its exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "explain" {
		return runExplain(args[1:], stdout, stderr)
	}
	flags := flag.NewFlagSet("flowcheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: flowcheck [-sarif] [-lenient] [-without LIST] [-schema] [-format twiml|ncco [-convert] [-base URL]] FILE...")
		fmt.Fprintln(stderr, "       flowcheck explain -h")
		flags.PrintDefaults()
	}
	asSARIF := flags.Bool("sarif", false, "write the findings as SARIF 2.1.0, which editors read")
	lenient := flags.Bool("lenient", false, "warn of what VoIPBIN accepts and ignores, in place of an error")
	without := flags.String("without", "", "what there is not: types of actions, and "+strings.Join(words(), " ")+", by commas")
	format := flags.String("format", "", "language of the files: twiml or ncco; empty: flows, and TwiML in *.xml and *.twiml")
	convert := flags.Bool("convert", false, "print the flow that a document of another language becomes")
	base := flags.String("base", "", "URL of such a document")
	schema := flags.Bool("schema", false, "print the JSON Schema of flows")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	c, err := newChecker(*without, *lenient)
	if err != nil {
		fmt.Fprintln(stderr, "flowcheck:", err)
		return 2
	}
	switch {
	case *schema && flags.NArg() == 0:
		text, err := flow.Schema(c.registry)
		return status(err, write(stdout, text), stderr)
	case *schema || flags.NArg() == 0:
		flags.Usage()
		return 2
	}
	if *format != "" && languages[*format] == nil {
		fmt.Fprintf(stderr, "flowcheck: -format: there are twiml and ncco, not %q\n", *format)
		return 2
	}
	texts, err := readAll(flags.Args(), stdin)
	if *convert {
		code := c.convert(texts, *format, *base, stdout, stderr)
		return max(code, status(err, nil, stderr))
	}
	var findings []flow.Finding
	for _, t := range texts {
		if l := language(*format, t.name); l != "" {
			_, found := c.foreignFindings(t, l, *base)
			findings = append(findings, found...)
			continue
		}
		findings = append(findings, c.check(t)...)
	}
	var out strings.Builder
	if *asSARIF {
		text, serr := sarif(findings, texts)
		err = errors.Join(err, serr)
		out.Write(text)
	} else {
		for _, f := range findings {
			fmt.Fprintln(&out, f)
		}
	}
	code := status(err, write(stdout, []byte(out.String())), stderr)
	if code == 0 && slices.ContainsFunc(findings, func(f flow.Finding) bool { return f.Severity == flow.SeverityError }) {
		return 1
	}
	return code
}

func write(w io.Writer, text []byte) error {
	_, err := w.Write(text)
	return err
}

// status reports what could not be read or written.
func status(read, written error, stderr io.Writer) int {
	if err := errors.Join(read, written); err != nil {
		fmt.Fprintln(stderr, "flowcheck:", err)
		return 2
	}
	return 0
}

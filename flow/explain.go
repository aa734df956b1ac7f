package flow

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/callbin/callbin/action"
)

// MaxExplained is how many actions Explain tells of where ExplainOptions says nothing else.
const MaxExplained = 500

// ExplainOptions is what is known of a call before it comes.
type ExplainOptions struct {
	// Vars are the variables that the call brings along, also those that are empty. Those of VoIPBIN's that
	// are not among them are not known; all others are empty until the flow sets them.
	Vars map[string]string
	// At is the time by which conditions decide, whatever is done before them; zero: now.
	At time.Time
	// Digits are what the caller presses, one text for each time that the flow asks for digits; "" is nothing.
	// What is pressed after the last one is not known.
	Digits []string
	// FlowByID finds the flows that actions name by id; nil: they are not known.
	FlowByID func(ctx context.Context, id string) (Program, error)
	MaxSteps int // 0: MaxExplained
}

// Course is one way through a flow: actions one after another. It ends where the flow ends, or where it
// comes to what is told already.
type Course struct {
	At    int    // number of the step at which it parts from the way that it belongs to; 0: it is the whole flow
	When  string // what makes the flow take it
	Steps []Explained
	Joins int    // it goes on as at the step of this number
	End   string // what ends it, where it joins nothing; "" where it is one of Ways that goes on
	Cut   bool   // it goes on, and nothing more is told of it
	// Ways are those that part from it: first all that may follow on its last step, where nobody can know which,
	// then those that are taken where an earlier step fails, finds nobody, or jumps once more.
	Ways []Course
}

// Explained is one action that would run.
type Explained struct {
	N       int // number of the step, from 1
	Flow    string
	Depth   int // how many flows the one that it is in is within
	File    string
	Line    int
	Column  int
	Index   int // of the action in the flow, from 0
	ID      string
	Type    string
	Option  json.RawMessage // with variables filled in, those that are not known as they are written
	Options []ExplainedOption
	Unknown []string // variables that it reads and that nobody knows yet
	Pressed []string // digits that the caller presses, where they are known

	Known   bool           // Outcome and Err are what it comes to; else that is not known, and it is taken to go well
	Outcome action.Outcome // with Known
	Err     error          // with Known
	Opaque  bool           // it runs, or does, something that is not known
	Rounds  int            // how often it may jump, where it is not known how often it did
}

// ExplainedOption is one option of an action.
type ExplainedOption struct {
	Name     string
	Value    json.RawMessage
	Duration time.Duration // with IsTime
	IsTime   bool          // its value is a duration
	Default  bool          // it is left out, and this is what counts
}

// Explain tells which actions of f would run on a call, one after another, without a call and without time
// passing. Where it depends on what nobody knows before the call (digits, answers from outside), it tells each way; each part of
// them is told once. Actions decide by the code that they decide with when they run
// (action.Decider, action.DigitTaker); what takes time is taken to go well.
//
// Behind the first such parting it is not told apart how often a goto has jumped before.
func Explain(ctx context.Context, f *Flow, o ExplainOptions) Course {
	x := newExplainer(ctx, o)
	defer x.scope.Close()
	var w Course
	x.walk(x.start(f), &w)
	return w
}

// explainedOptions reads option, an object, of an action.
func explainedOptions(reg *action.Registry, typ string, option json.RawMessage) []ExplainedOption {
	units := make(map[string]time.Duration)
	known := reg.Options(typ)
	for _, o := range known {
		switch o.Unit {
		case "ms":
			units[o.Name] = time.Millisecond
		case "s":
			units[o.Name] = time.Second
		}
	}
	var all []ExplainedOption
	add := func(name string, value json.RawMessage, isDefault bool) {
		e := ExplainedOption{Name: name, Value: value, Default: isDefault}
		if n, err := strconv.Atoi(string(value)); err == nil && units[name] > 0 {
			e.Duration, e.IsTime = time.Duration(n)*units[name], true
		}
		all = append(all, e)
	}
	given := make(map[string]bool)
	if n, _ := action.ParseJSON(option); n != nil {
		for _, m := range n.Members {
			given[m.Key] = true
			add(m.Key, option[m.Value.Start:m.Value.End], false)
		}
	}
	for _, o := range known {
		if units[o.Name] > 0 && !given[o.Name] && o.Default != "" && o.Default != "0" {
			add(o.Name, json.RawMessage(o.Default), true)
		}
	}
	return all
}

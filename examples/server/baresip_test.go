package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// meter is what baresip prints about bit rates, ten times a second.
var meter = regexp.MustCompile(`\[\d+:\d+:\d+\] +audio=\d+/\d+ \(bit/s\)\s*`)

// softphone is a running baresip, spoken to through its ctrl_tcp module.
type softphone struct {
	dir    string
	port   int // SIP
	conn   net.Conn
	cmd    *exec.Cmd
	mu     sync.Mutex
	events []string // guarded by mu; types of its events, in order
	out    *logBuffer
}

// baresip starts one that speaks say, a WAV file, and keeps what it hears as another one. account are
// parameters of its account, such as "answermode=auto".
func baresip(t testing.TB, say string, account ...string) *softphone {
	t.Helper()
	return baresipAs(t, say, "<sip:alice@127.0.0.1>;regint=0", account...)
}

// baresipAs is baresip for another address of record than alice's.
func baresipAs(t testing.TB, say, aor string, account ...string) *softphone {
	t.Helper()
	program := need(t, "baresip")
	modules := ""
	for _, dir := range []string{"/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"} {
		if _, err := os.Stat(dir); err == nil {
			modules = dir
		}
	}
	p := &softphone{dir: t.TempDir(), port: freePort(t, "127.0.0.1"), out: &logBuffer{}}
	control := freePort(t, "127.0.0.1")
	rtp := 33000 + control%3000*2
	write(t, filepath.Join(p.dir, "config"), fmt.Sprintf(`poll_method epoll
sip_listen 127.0.0.1:%d
audio_source aufile,%s
audio_player aubridge,nobody
snd_path %s
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
rtp_ports %d-%d
net_interface 127.0.0.1
module_path %s
module g711.so
module aubridge.so
module sndfile.so
module aufile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%d
`, p.port, say, p.dir, rtp, rtp+40, modules, control))
	write(t, filepath.Join(p.dir, "accounts"), strings.Join(append([]string{aor}, account...), ";")+"\n")
	write(t, filepath.Join(p.dir, "contacts"), "")
	p.cmd = exec.Command(program, "-f", p.dir)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.conn != nil {
			p.conn.Close()
		}
		_ = p.cmd.Process.Kill() // it may have quit
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("baresip:\n%s", meter.ReplaceAllString(p.out.String(), ""))
		}
	})
	until(t, "baresip takes commands", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", control))
		p.conn = conn
		return err == nil
	})
	go p.read()
	return p
}

// read collects events: JSON in netstrings.
func (p *softphone) read() {
	r := bufio.NewReader(p.conn)
	for {
		size, err := r.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, ":"))
		if err != nil {
			return
		}
		b := make([]byte, n+1)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		var e struct {
			Event bool
			Type  string
		}
		if json.Unmarshal(b[:n], &e) == nil && e.Event {
			p.mu.Lock()
			p.events = append(p.events, e.Type)
			p.mu.Unlock()
		}
	}
}

func (p *softphone) command(t testing.TB, name, params string) {
	t.Helper()
	b, err := json.Marshal(map[string]string{"command": name, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.conn, "%d:%s,", len(b), b); err != nil {
		t.Fatal(err)
	}
}

func (p *softphone) wait(t testing.TB, event string) {
	t.Helper()
	until(t, "baresip tells "+event, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, e := range p.events {
			if e == event {
				return true
			}
		}
		return false
	})
}

// heard is what the phone heard of its one call.
func (p *softphone) heard(t testing.TB) []int16 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "dump*-dec.wav"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d dumps, %v", len(files), err)
	}
	return readWAV(t, files[0]).PCM()
}

func readWAV(t testing.TB, file string) *media.Clip {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := wav.Decode(f, wav.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return c
}

// pause waits on real phones.
func pauseFor(d time.Duration) { <-time.After(d) }

// TestBaresipHearsTheMenu is the first thing a newcomer does: call 100 of the server that came with
// nothing, hear the menu, press 1, hear that branch, be hung up.
func TestBaresipHearsTheMenu(t *testing.T) {
	need(t, "baresip")
	s := start(t, serverOptions{env: []string{"PATH=/nonexistent"}}) // no speech engine
	quiet := filepath.Join(t.TempDir(), "quiet.wav")
	writeTone(t, quiet, 0, 60)
	p := baresip(t, quiet)
	p.command(t, "dial", fmt.Sprintf("sip:100@127.0.0.1:%d", s.port))
	p.wait(t, "CALL_ESTABLISHED")
	pauseFor(4 * time.Second) // listen to some of the menu
	p.command(t, "sndcode", "1")
	p.wait(t, "CALL_CLOSED")
	heard := p.heard(t)
	menu, about := spokenText(t, "Welcome to Callbin."), spokenText(t, "You pressed one.")
	at := matches(t, heard, menu[:3*8000], "the menu")
	if next := matches(t, heard, about, "the branch of key 1"); next < at+3*8000 {
		t.Errorf("the branch begins at %d ms, the menu at %d ms", next/8, at/8)
	}
	if found, _ := correlate(heard, spokenText(t, "There is nothing")); found > 0.5 {
		t.Errorf("the wrong branch is heard too (%.2f)", found)
	}
}

func TestBaresipIsRecorded(t *testing.T) {
	need(t, "baresip")
	s := start(t, serverOptions{flows: map[string]string{"rec.json": `[{"type":"answer"},
		{"type":"recording_start"},{"type":"play","option":{"stream_urls":["file:700.wav"]}},{"type":"recording_stop"},{"type":"hangup"}]`}})
	writeTone(t, filepath.Join(s.dir, "700.wav"), 700, 4)
	say := filepath.Join(t.TempDir(), "say.wav")
	writeTone(t, say, 400, 20)
	p := baresip(t, say)
	p.command(t, "dial", fmt.Sprintf("sip:rec@127.0.0.1:%d", s.port))
	p.wait(t, "CALL_CLOSED")
	checkChannels(t, s, 4)
}

package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// need finds a program that a test works with. Without it the test is skipped, and
// fails where everything is to be tested.
func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CALLBIN_FULL") == "1" {
			t.Fatalf("%s is not installed", program)
		}
		t.Skipf("%s is not installed", program)
	}
	return path
}

var build struct {
	once sync.Once
	path string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if build.path != "" {
		os.RemoveAll(filepath.Dir(build.path))
	}
	os.Exit(code)
}

// binary builds the server once.
func binary(t testing.TB) string {
	t.Helper()
	build.once.Do(func() {
		dir, err := os.MkdirTemp("", "callbin")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "server")
		if out, err := exec.Command("go", "build", "-o", build.path, ".").CombinedOutput(); err != nil {
			build.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

type serverOptions struct {
	sip    string // format with the port; empty: udp and tcp on 127.0.0.1
	media  string
	flows  map[string]string // files; nil: the built-in flows
	config string            // text of the settings file
	env    []string
	data   string // folder that another server has left; empty: a new one
}

type server struct {
	cmd  *exec.Cmd
	port int // SIP
	http int
	data string
	dir  string // of the flows
	log  *logBuffer
	done chan error
}

// logBuffer is written by the process and read by the test.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs the server until it is ready, and stops it at the test's end.
func start(t testing.TB, o serverOptions) *server {
	t.Helper()
	s := launch(t, o)
	until(t, "the server is ready", func() bool {
		select {
		case err := <-s.done:
			t.Fatalf("the server ended: %v\n%s", err, s.log)
		default:
		}
		return strings.Contains(s.log.String(), "callbin: ready\n")
	})
	return s
}

func launch(t testing.TB, o serverOptions) *server {
	t.Helper()
	s := &server{port: freePort(t, "127.0.0.1"), http: freePort(t, "127.0.0.1"), data: filepath.Join(t.TempDir(), "data"), log: &logBuffer{}, done: make(chan error, 1)}
	if o.data != "" {
		s.data = o.data
	}
	if o.sip == "" {
		o.sip = "udp://127.0.0.1:%[1]d,tcp://127.0.0.1:%[1]d"
	}
	args := []string{"-sip", fmt.Sprintf(o.sip, s.port), "-http", fmt.Sprintf("127.0.0.1:%d", s.http), "-data", s.data}
	if o.media != "" {
		args = append(args, "-media", o.media)
	}
	if o.flows != nil {
		s.dir = t.TempDir()
		for name, text := range o.flows {
			write(t, filepath.Join(s.dir, name), text)
		}
		args = append(args, "-flows", s.dir)
	}
	if o.config != "" {
		file := filepath.Join(t.TempDir(), "config.json")
		write(t, file, o.config)
		args = append(args, "-config", file)
	}
	s.cmd = exec.Command(binary(t), args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.Env = append(os.Environ(), o.env...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.done:
		case <-time.After(20 * time.Second):
			_ = s.cmd.Process.Kill()
			t.Errorf("the server did not end\n%s", s.log)
		}
		if t.Failed() {
			t.Logf("server log:\n%s", s.log)
		}
	})
	return s
}

// stop ends the server, as its operator does.
func (s *server) stop(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.done:
		s.done <- err // the cleanup wants it, too
		if err != nil {
			t.Errorf("the server ended: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("the server did not end\n%s", s.log)
	}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// until waits for a process of its own: there is no virtual time across processes.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	over := time.After(60 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("in vain: %s", what)
		}
	}
}

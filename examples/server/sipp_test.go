package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A sipp scenario is built of these steps: what sipp's XML repeats is written once.

// from is the head of each request; branch names its transaction.
func from(branch string) string {
	return `
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=` + branch + `
      Max-Forwards: 70
      From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
`
}

// inviteBranch is shared by an INVITE, its CANCEL, and the ACK of its refusal (RFC 3261 17.1.1.3).
func inviteBranch(cseq int) string { return fmt.Sprintf("z9hG4bK-[pid]-[call_number]-invite%d", cseq) }

func sdp(direction, media string) string {
	return `
      v=0
      o=- 1 1 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [media_port] ` + media + `
      a=` + direction + `
`
}

const pcmu = "RTP/AVP 0 101\n      a=rtpmap:101 telephone-event/8000"

func invite(cseq int, to, body string) string {
	ct := ""
	if body != "" {
		ct = "      Content-Type: application/sdp\n"
	}
	uri := "sip:[service]@[remote_ip]:[remote_port]"
	if to != "" {
		uri = "[next_url]"
	}
	return fmt.Sprintf(`
  <send retrans="500"><![CDATA[
      INVITE %s SIP/2.0%s      To: <sip:[service]@[remote_ip]:[remote_port]>%s
      Call-ID: [call_id]
      CSeq: %d INVITE
      Contact: <sip:sipp@[local_ip]:[local_port]>
%s      Content-Length: [len]
%s]]></send>`, uri, from(inviteBranch(cseq)), to, cseq, ct, body)
}

// request is an in-dialog request without a body, or with one.
func request(method string, cseq int, to, body string) string {
	ct := ""
	if body != "" {
		ct = "      Content-Type: application/sdp\n"
	}
	uri := "[next_url]"
	if method == "CANCEL" || to == "" {
		uri = "sip:[service]@[remote_ip]:[remote_port]"
	}
	retrans := ` retrans="500"`
	if method == "ACK" {
		retrans = ""
	}
	branch := "[branch]"
	if method == "CANCEL" {
		branch = inviteBranch(cseq)
	}
	return fmt.Sprintf(`
  <send%s><![CDATA[
      %s %s SIP/2.0%s      To: <sip:[service]@[remote_ip]:[remote_port]>%s
      Call-ID: [call_id]
      CSeq: %d %s
%s      Content-Length: [len]
%s]]></send>`, retrans, method, uri, from(branch), to, cseq, method, ct, body)
}

// refused is a final answer and its ACK.
func refused(status, cseq int, regexp string) string {
	ack := strings.Replace(request("ACK", cseq, tag, ""), "branch=[branch]", "branch="+inviteBranch(cseq), 1)
	ack = strings.Replace(ack, "[next_url]", "sip:[service]@[remote_ip]:[remote_port]", 1)
	return recvWith(status, regexp) + ack
}

func recv(status int) string {
	return fmt.Sprintf(`
  <recv response="%d" rrs="true"/>`, status)
}

func optional(status int) string {
	return fmt.Sprintf(`
  <recv response="%d" optional="true"/>`, status)
}

// recvWith is recv of a response whose message matches a regular expression.
func recvWith(status int, regexp string) string {
	return fmt.Sprintf(`
  <recv response="%d" rrs="true"><action><ereg regexp="%s" search_in="msg" check_it="true" assign_to="1"/></action></recv>`, status, regexp)
}

const (
	tag     = "[peer_tag_param]"
	recvBye = `
  <recv request="BYE"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0
]]></send>`
)

func pause(ms int) string {
	return fmt.Sprintf(`
  <pause milliseconds="%d"/>`, ms)
}

var up = invite(1, "", sdp("sendrecv", pcmu)) + optional(100) + optional(180) + recv(200) + request("ACK", 1, tag, "")
var down = request("BYE", 9, tag, "") + recv(200)

var scenarios = map[string]struct {
	user  string
	steps string
	udp   bool // our answer is sent again, which sipp takes amiss on TCP
}{
	"caller hangs up": {user: "up", steps: up + pause(300) + down},
	"server hangs up": {user: "short", steps: up + recvBye},
	"flow refuses":    {user: "busy", steps: invite(1, "", sdp("sendrecv", pcmu)) + optional(100) + optional(180) + refused(486, 1, "cause=17")},
	"cancel": {user: "ringing", steps: invite(1, "", sdp("sendrecv", pcmu)) + optional(100) + recv(180) + pause(200) +
		request("CANCEL", 1, "", "") + recv(200) + refused(487, 1, "487")},
	"hold and resume": {user: "up", steps: up +
		invite(2, tag, sdp("sendonly", pcmu)) + optional(100) + recvWith(200, "a=recvonly") + request("ACK", 2, tag, "") + pause(200) +
		invite(3, tag, sdp("inactive", pcmu)) + optional(100) + recvWith(200, "a=inactive") + request("ACK", 3, tag, "") + pause(200) +
		invite(4, tag, sdp("sendrecv", pcmu)) + optional(100) + recvWith(200, "a=sendrecv") + request("ACK", 4, tag, "") + down},
	"late offer": {user: "up", steps: invite(1, "", "") + optional(100) + optional(180) + recvWith(200, "m=audio") +
		request("ACK", 1, tag, sdp("sendrecv", pcmu)) + pause(300) + down},
	"late ACK": {user: "up", udp: true, steps: invite(1, "", sdp("sendrecv", pcmu)) + optional(100) + optional(180) + recv(200) + pause(1700) +
		request("ACK", 1, tag, "") + down},
	"invite sent again": {user: "slow", steps: invite(1, "", sdp("sendrecv", pcmu)) + optional(100) + recv(180) +
		invite(1, "", sdp("sendrecv", pcmu)) + optional(180) + recv(200) + request("ACK", 1, tag, "") + pause(100) + down},
	"no ACK":            {user: "up", udp: true, steps: invite(1, "", sdp("sendrecv", pcmu)) + optional(100) + optional(180) + recv(200) + manyOptional200 + recvBye},
	"no common codec":   {user: "up", steps: invite(1, "", sdp("sendrecv", "RTP/AVP 18")) + optional(100) + optional(180) + refused(488, 1, "488")},
	"only SRTP":         {user: "up", steps: invite(1, "", sdp("sendrecv", "RTP/SAVP 0")) + optional(100) + optional(180) + refused(488, 1, "488")},
	"no such dialog":    {user: "up", steps: strings.ReplaceAll(request("BYE", 1, ";tag=nobody", ""), "[next_url]", "sip:[service]@[remote_ip]:[remote_port]") + recv(481)},
	"no such user":      {user: "nobody", steps: invite(1, "", sdp("sendrecv", pcmu)) + optional(100) + refused(404, 1, "cause=1")},
	"refused re-INVITE": {user: "up", steps: up + invite(2, tag, sdp("sendrecv", "RTP/AVP 18")) + optional(100) + refused(488, 2, "488") + pause(100) + down},
	"options":           {user: "up", steps: request("OPTIONS", 1, "", "") + recvWith(200, "INVITE")},
}

// sipp counts retransmitted answers as unexpected unless they are optional.
var manyOptional200 = strings.Repeat(optional(200), 12)

func TestSipp(t *testing.T) {
	sipp := need(t, "sipp")
	s := start(t, serverOptions{
		sip:   "udp://127.0.0.1:%[1]d,tcp://127.0.0.1:%[1]d,udp://[::1]:%[1]d,tcp://[::1]:%[1]d",
		media: "127.0.0.1,::1",
		flows: map[string]string{
			"up.json":      `[{"type":"answer"},{"type":"sleep","option":{"duration":600000}}]`,
			"short.json":   `[{"type":"answer"},{"type":"sleep","option":{"duration":500}}]`,
			"busy.json":    `[{"type":"hangup","option":{"reason":"busy"}}]`,
			"slow.json":    `[{"type":"sleep","option":{"duration":400}},{"type":"answer"},{"type":"sleep","option":{"duration":600000}}]`,
			"ringing.json": `[{"type":"sleep","option":{"duration":600000}}]`,
		},
	})
	for _, net := range []struct{ name, host, transport string }{
		{"udp", "127.0.0.1", "u1"}, {"tcp", "127.0.0.1", "t1"}, {"udp6", "[::1]", "u1"}, {"tcp6", "[::1]", "t1"},
	} {
		for name, sc := range scenarios {
			if sc.udp && net.name != "udp" {
				continue
			}
			t.Run(net.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				file := filepath.Join(dir, "scenario.xml")
				xml := "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"" + name + "\">" + sc.steps + `
  <Reference variables="1"/>
</scenario>`
				if !strings.Contains(sc.steps, `assign_to="1"`) {
					xml = strings.Replace(xml, "  <Reference variables=\"1\"/>\n", "", 1)
				}
				if err := os.WriteFile(file, []byte(xml), 0o600); err != nil {
					t.Fatal(err)
				}
				local := strings.Trim(net.host, "[]")
				cmd := exec.Command(sipp, "-sf", file, "-s", sc.user, "-i", local, "-mi", local, "-p", fmt.Sprint(freePort(t, net.host)),
					"-t", net.transport, "-m", "1", "-timeout", "60s", "-timeout_error", "-nostdin", "-trace_err", "-trace_msg",
					"-error_file", filepath.Join(dir, "errors"), "-message_file", filepath.Join(dir, "messages"),
					fmt.Sprintf("%s:%d", net.host, s.port))
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "TERM=dumb")
				if out, err := cmd.CombinedOutput(); err != nil {
					errs, _ := os.ReadFile(filepath.Join(dir, "errors"))
					msgs, _ := os.ReadFile(filepath.Join(dir, "messages"))
					t.Fatalf("sipp: %v\n%s\n%s\n%s", err, tail(out, 1500), errs, tail(msgs, 6000))
				}
			})
		}
	}
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// freePort finds a port that is free for UDP and TCP on host.
func freePort(t testing.TB, host string) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", fmt.Sprintf("%s:%d", host, port))
		l.Close()
		if err == nil {
			u.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// Package vosk writes down what is said in a call, by a server of the Vosk project.
//
// There is one type. A [Transcriber] is a [media.Transcriber]: it opens a WebSocket to
// a vosk-server for each transcription, sends it the sound as it comes, and tells the
// texts that come back.
//
//	t, err := vosk.New(vosk.Config{URLs: map[string]string{
//		"en": "ws://127.0.0.1:2700", "de": "ws://127.0.0.1:2701",
//	}})
//	err = t.Transcribe(ctx, ear, media.TranscribeOptions{Language: "en-GB"}, func(x media.Transcript) {
//		fmt.Println(x.Final, x.Text)
//	})
//
// A vosk-server has one model and so one language: Config.URLs tells which server is for
// which. URLs are the operator's and trusted; redirects are not followed. Where they
// are somebody else's, set Config.Dial to the DialContext of a safehttp.Client.
//
// # Protocol
//
// It has no standard but the programs in https://github.com/alphacep/vosk-server, of which
// websocket/asr_server.py counts:
//
//	to the server    {"config" : {"sample_rate" : 8000, "words" : 1}}   text
//	                 16-bit little-endian PCM, 100 ms                   binary, again and again
//	                 {"eof" : 1}                                        text, compared as a string
//	from the server  {"partial" : "..."}                                one answer to each binary
//	              or {"result" : [{"conf", "start", "end", "word"}], "text" : "..."}
//	                 the latter                                         answer to eof, then it closes
//
// Because each binary has an answer, the Transcriber knows how far behind the server is: with
// 5 s of sound unanswered it reads no more from its source, whose buffer then tells what is lost.
//
// Not covered: grammars and phrase lists, speaker vectors, the gRPC and MQTT servers.
package vosk

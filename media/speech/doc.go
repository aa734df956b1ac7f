// Package speech turns text into sound: an engine on this machine, and a cache for any engine.
//
// There are two types. [Espeak] runs the program espeak-ng, which speaks some
// ninety languages without a network; [Cache] stands before it, or before any other
// [media.Speaker], and keeps what was spoken in memory and on disk:
//
//	engine := speech.NewEspeak(speech.Config{})
//	speaker, err := speech.NewCache(engine, speech.CacheConfig{Dir: "prompts", FS: embedded})
//	src, err := speaker.Speak(ctx, media.Utterance{Text: "Hallo!", Language: "de-DE", Gender: media.Female})
//
// [Languages] lists what Espeak speaks, and how well. What it cannot speak it
// refuses, instead of reading letters out in English: kanji in Japanese, Greek in a
// Polish sentence. [Prerender] fills a folder that a program can embed, so that its own
// prompts need no engine at all.
//
// Text is plain, or SSML where it begins with <speak: the elements speak, p, s,
// break, prosody, emphasis, say-as, sub, phoneme, lang, voice and mark pass; audio
// and all others are refused, because engines may open files for them. A part under another xml:lang is
// spoken by that language's plain voice, without gender.
//
// Cached sound is 8 kHz mu-law, which is what G.711 calls carry, at half the size of linear
// samples; CacheConfig.Rate keeps wideband sound instead.
package speech

// Package wav reads and writes WAV files.
//
// There are only two types that matter. A [Reader] reads what the world calls WAV:
// PCM of 8, 16, 24 and 32 bits, float, G.711, mono or more channels, any usual rate,
// headers left unfinished by a pipe or a crash. [Decode] reads all of it into a shared
// [media.Clip], for prompts. A [Writer] writes 16-bit PCM such that the file is valid
// at every moment, for recordings:
//
//	clip, err := wav.Decode(file, wav.Limits{})
//
//	w, err := wav.Create("call.wav", wav.Format{Rate: 8000, Channels: 2})
//	err = w.Write(pcm) // killed here, the file holds what was written before
//	err = w.Close()
//
// Not covered: ADPCM, MP3 and GSM in a WAV, big-endian RIFX, files beyond 4 GiB when
// writing (RF64 is read).
package wav

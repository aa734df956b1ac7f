package speech

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"

	"github.com/callbin/callbin/media"
)

// Key is the name under which a Cache keeps an utterance: 64 hexadecimal digits, the
// SHA-256 of all fields, each with its length in front, so that no two utterances
// share one. Tags of language that differ in case alone, and rates 0 and 1, are the same. It is
// stable: files made by one version of a program serve the next.
func Key(u media.Utterance) string {
	h := sha256.New()
	h.Write([]byte("callbin speech 1\n"))
	for _, field := range []string{u.Text, strings.ToLower(u.Language), string(u.Gender), u.Voice, u.Provider} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(field)))
		h.Write(n[:])
		h.Write([]byte(field))
	}
	rate := u.Rate
	if rate == 0 {
		rate = 1
	}
	var r [8]byte
	binary.BigEndian.PutUint64(r[:], math.Float64bits(rate))
	h.Write(r[:])
	return hex.EncodeToString(h.Sum(nil))
}

// FileName is the name of an utterance's file in the folders of a Cache.
func FileName(u media.Utterance) string { return Key(u) + fileExt }

const fileExt = ".wav"

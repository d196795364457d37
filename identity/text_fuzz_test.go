package identity

import (
	"strings"
	"testing"
)

// FuzzKeyText parses keys and IDs as people and files give them: one text each.
func FuzzKeyText(f *testing.F) {
	key := NewKeyFromSeed([32]byte{1}).Public()
	f.Add(key.String())
	f.Add(key.AuthorizedKey() + " me@here\n")
	f.Add("stmt:" + strings.Repeat("0a", 32))
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := ParsePublicKey(text); err == nil && (k.String() != text || k.Check() != nil) {
			t.Errorf("ParsePublicKey(%q) = %v, %v", text, k, k.Check())
		}
		if id, err := ParseStatementID(text); err == nil && id.String() != text {
			t.Errorf("ParseStatementID(%q) = %v", text, id)
		}
		if k, comment, err := ParseAuthorizedKey(text); err == nil {
			again, same, err := ParseAuthorizedKey(strings.TrimSpace(k.AuthorizedKey() + " " + comment))
			if err != nil || again != k || same != strings.TrimSpace(comment) {
				t.Errorf("ParseAuthorizedKey(%q) = %v %q, again %v %q, %v", text, k, comment, again, same, err)
			}
		}
	})
}

package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

// pkcs8 returns a key as openssl writes it.
func pkcs8(tb testing.TB, key any) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestImportKey(t *testing.T) {
	k, dir := testKey("operator"), t.TempDir()
	text := pkcs8(t, k.key)
	if got, err := ImportKey(text, nil); err != nil || got.Public() != k.Public() {
		t.Errorf("ImportKey of PKCS#8 = %v, %v", got, err)
	}
	file := filepath.Join(dir, "pkcs8")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ImportKeyFile(file, nil); err != nil || got.Public() != k.Public() {
		t.Errorf("ImportKeyFile of PKCS#8 = %v, %v", got, err)
	}
	if _, err := ReadKeyFile(file, nil); !errors.Is(err, ErrKeyFile) {
		t.Errorf("ReadKeyFile of PKCS#8 = %v, want %v", err, ErrKeyFile)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ImportKeyFile(file, nil); !errors.Is(err, ErrPermissions) {
		t.Errorf("ImportKeyFile of an open file = %v, want %v", err, ErrPermissions)
	}
	locked := filepath.Join(dir, "locked")
	if err := WriteKeyFile(locked, k, "", []byte("right")); err != nil {
		t.Fatal(err)
	}
	if got, err := ImportKeyFile(locked, secret("right")); err != nil || got.Public() != k.Public() {
		t.Errorf("ImportKeyFile of OpenSSH's format = %v, %v", got, err)
	}

	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name string
		text []byte
		want error
	}{
		{"an RSA key", pkcs8(t, rsaKey), ErrKeyType},
		{"an encrypted PKCS#8 key", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: make([]byte, 32)}), ErrKeyFile},
		{"a cut one", text[:len(text)/2], ErrKeyFile},
		{"nothing", nil, ErrKeyFile},
		{"too long a one", append(text, make([]byte, maxKeyFileSize)...), ErrKeyFile},
	} {
		if got, err := ImportKey(v.text, nil); !errors.Is(err, v.want) || got != nil {
			t.Errorf("ImportKey of %s = %v, %v; want %v", v.name, got, err, v.want)
		}
	}
}

// FuzzImportKey: no text panics, and a key that is read signs for its public half.
func FuzzImportKey(f *testing.F) {
	k := testKey("operator")
	f.Add(pkcs8(f, k.key))
	block, err := ssh.MarshalPrivateKey(k.key, "comment")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(block))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ImportKey(text, nil)
		if err != nil {
			return
		}
		pub := k.Public()
		if !ed25519.Verify(pub[:], []byte("x"), ed25519.Sign(k.key, []byte("x"))) {
			t.Errorf("the key of %q does not sign for its public half", text)
		}
	})
}

package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// These tests hold key files and statement signatures against the real
// ssh-keygen, where there is one.

func sshKeygen(t *testing.T, stdin []byte, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("no ssh-keygen on this machine")
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS=", "SSH_AUTH_SOCK=")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func mustKeygen(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	out, err := sshKeygen(t, stdin, args...)
	if err != nil {
		t.Fatalf("ssh-keygen %q: %v\n%s", args, err, out)
	}
	return out
}

func secret(s string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(s), nil }
}

func TestKeyFileReadByOpenSSH(t *testing.T) {
	k := testKey("operator")
	for _, pass := range []string{"", "correct horse"} {
		path := filepath.Join(t.TempDir(), "key")
		if err := WriteKeyFile(path, k, "me@site", []byte(pass)); err != nil {
			t.Fatal(err)
		}
		if got, want := mustKeygen(t, nil, "-y", "-P", pass, "-f", path), k.Public().AuthorizedKey()+" me@site"; got != want {
			t.Errorf("ssh-keygen -y = %q, want %q", got, want)
		}
		if got, want := mustKeygen(t, nil, "-lf", path), k.Public().Fingerprint(); !strings.Contains(got, " "+want+" ") || !strings.Contains(got, "ED25519") {
			t.Errorf("ssh-keygen -lf = %q, want %q in it", got, want)
		}
		mustKeygen(t, nil, "-p", "-P", pass, "-N", "battery staple", "-f", path)
		got, err := ReadKeyFile(path, secret("battery staple"))
		if err != nil || got.Public() != k.Public() {
			t.Errorf("after ssh-keygen -p: ReadKeyFile = %v, %v", got, err)
		}
		mustKeygen(t, nil, "-p", "-P", "battery staple", "-N", "", "-f", path)
		if got, err := ReadKeyFile(path, nil); err != nil || got.Public() != k.Public() {
			t.Errorf("after ssh-keygen -p to no passphrase: ReadKeyFile = %v, %v", got, err)
		}
	}
}

func TestKeyFileWrittenByOpenSSH(t *testing.T) {
	for _, pass := range []string{"", "correct horse"} {
		path := filepath.Join(t.TempDir(), "key")
		mustKeygen(t, nil, "-q", "-t", "ed25519", "-C", "me@site", "-N", pass, "-f", path)
		k, err := ReadKeyFile(path, secret(pass))
		if err != nil {
			t.Fatal(err)
		}
		line, err := os.ReadFile(path + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		if pub, comment, err := ParseAuthorizedKey(string(line)); err != nil || pub != k.Public() || comment != "me@site" {
			t.Errorf("ParseAuthorizedKey(%q) = %v, %q, %v; want %v", line, pub, comment, err, k.Public())
		}
		if got := mustKeygen(t, nil, "-lf", path+".pub"); !strings.Contains(got, k.Public().Fingerprint()) {
			t.Errorf("Fingerprint() = %q, ssh-keygen says %q", k.Public().Fingerprint(), got)
		}
	}
	path := filepath.Join(t.TempDir(), "rsa")
	mustKeygen(t, nil, "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", path)
	if _, err := ReadKeyFile(path, nil); !errors.Is(err, ErrKeyType) {
		t.Errorf("an RSA key: error %v, want %v", err, ErrKeyType)
	}
}

func TestKeyFileRefusals(t *testing.T) {
	k, dir := testKey("node"), t.TempDir()
	plain, locked := filepath.Join(dir, "plain"), filepath.Join(dir, "locked")
	if err := WriteKeyFile(plain, k, "", nil); err != nil {
		t.Fatal(err)
	}
	if err := WriteKeyFile(locked, k, "", []byte("right")); err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecBlock, err := ssh.MarshalPrivateKey(ec, "")
	if err != nil {
		t.Fatal(err)
	}
	swapped := append(ed25519.NewKeyFromSeed(make([]byte, 32))[:32:32], k.key[32:]...)
	swappedBlock, err := ssh.MarshalPrivateKey(swapped, "")
	if err != nil {
		t.Fatal(err)
	}
	errAsk := errors.New("nobody to ask")
	for _, v := range []struct {
		name string
		path string
		pass func() ([]byte, error)
		want error
	}{
		{"no file", filepath.Join(dir, "none"), nil, fs.ErrNotExist},
		{"readable by the group", write("group", good, 0o640), nil, ErrPermissions},
		{"writable by all", write("all", good, 0o602), nil, ErrPermissions},
		{"no passphrase", locked, nil, ErrPassphraseNeeded},
		{"wrong passphrase", locked, secret("wrong"), ErrPassphrase},
		{"empty passphrase", locked, secret(""), ErrPassphrase},
		{"passphrase cannot be had", locked, func() ([]byte, error) { return nil, errAsk }, errAsk},
		{"another type", write("ec", pem.EncodeToMemory(ecBlock), 0o600), nil, ErrKeyType},
		{"halves of two keys", write("swapped", pem.EncodeToMemory(swappedBlock), 0o600), nil, ErrKeyFile},
		{"empty", write("empty", nil, 0o600), nil, ErrKeyFile},
		{"a public key", write("pub", []byte(k.Public().AuthorizedKey()), 0o600), nil, ErrKeyFile},
		{"cut", write("cut", good[:len(good)/2], 0o600), nil, ErrKeyFile},
		{"too long", write("long", append(good[:len(good):len(good)], make([]byte, maxKeyFileSize)...), 0o600), nil, ErrKeyFile},
		{"a directory", dir, nil, ErrKeyFile},
	} {
		got, err := ReadKeyFile(v.path, v.pass)
		if !errors.Is(err, v.want) || got != nil {
			t.Errorf("%s: ReadKeyFile = %v, %v; want %v", v.name, got, err, v.want)
		}
		if err != nil && !strings.Contains(err.Error(), v.path) {
			t.Errorf("%s: error %q does not name the file", v.name, err)
		}
	}
	if got, err := ReadKeyFile(locked, secret("right")); err != nil || got.Public() != k.Public() {
		t.Errorf("right passphrase: ReadKeyFile = %v, %v", got, err)
	}
}

func TestWriteKeyFileNeverReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	a, b := testKey("a"), testKey("b")
	if err := WriteKeyFile(path, a, "", nil); err != nil {
		t.Fatal(err)
	}
	if err := WriteKeyFile(path, b, "", nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second WriteKeyFile: %v, want %v", err, fs.ErrExist)
	}
	if got, err := ReadKeyFile(path, nil); err != nil || got.Public() != a.Public() {
		t.Errorf("ReadKeyFile = %v, %v; want the first key", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v; want 0600", info.Mode(), err)
	}
	if err := WriteKeyFile(filepath.Join(path, "below"), a, "", nil); err == nil {
		t.Errorf("WriteKeyFile below a file: no error")
	}
}

func TestSSHSignatureVerifiedByOpenSSH(t *testing.T) {
	k, dir := testKey("operator"), t.TempDir()
	s, err := SignStatement(Statement{Issuer: k.Public(), Seq: 1, Content: Found{Threshold: 1, Founders: []PublicKey{k.Public()}}}, k)
	if err != nil {
		t.Fatal(err)
	}
	sigFile, allowed := filepath.Join(dir, "sig"), filepath.Join(dir, "allowed")
	if err := os.WriteFile(sigFile, s.SSHSignature(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(allowed, []byte("me@site "+k.Public().AuthorizedKey()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(payload []byte, namespace string) (string, error) {
		return sshKeygen(t, payload, "-Y", "verify", "-f", allowed, "-I", "me@site", "-n", namespace, "-s", sigFile)
	}
	if out, err := verify(s.Payload(), SSHNamespace); err != nil {
		t.Errorf("ssh-keygen -Y verify: %v\n%s", err, out)
	}
	if out, err := verify(append(s.Payload()[:len(s.Payload()):len(s.Payload())], 0), SSHNamespace); err == nil {
		t.Errorf("ssh-keygen accepted another payload: %s", out)
	}
	if out, err := verify(s.Payload(), "file"); err == nil {
		t.Errorf("ssh-keygen accepted another namespace: %s", out)
	}
}

func TestSSHSignatureMadeByOpenSSH(t *testing.T) {
	k, dir := testKey("operator"), t.TempDir()
	key := filepath.Join(dir, "key")
	if err := WriteKeyFile(key, k, "", nil); err != nil {
		t.Fatal(err)
	}
	draft := Statement{Issuer: k.Public(), Seq: 1, Content: Found{Threshold: 1, Founders: []PublicKey{k.Public()}}}
	payload, err := draft.draftPayload()
	if err != nil {
		t.Fatal(err)
	}
	sign := func(namespace string, opts ...string) []byte {
		file := filepath.Join(t.TempDir(), "payload")
		if err := os.WriteFile(file, payload, 0o600); err != nil {
			t.Fatal(err)
		}
		mustKeygen(t, nil, append(append([]string{"-q", "-Y", "sign", "-f", key, "-n", namespace}, opts...), file)...)
		armored, err := os.ReadFile(file + ".sig")
		if err != nil {
			t.Fatal(err)
		}
		return armored
	}
	armored := sign(SSHNamespace)
	pub, sig, err := ParseSSHSignature(armored)
	if err != nil || pub != k.Public() {
		t.Fatalf("ParseSSHSignature = %v, %v; want %v", pub, err, k.Public())
	}
	s, err := AssembleStatement(payload, sig)
	if err != nil {
		t.Fatal(err)
	}
	if !s.VerifySignature() {
		t.Errorf("VerifySignature refuses ssh-keygen's signature")
	}
	ours, err := SignStatement(draft, k)
	if err != nil || !bytes.Equal(ours.Encoded(), s.Encoded()) {
		t.Errorf("SignStatement = %v, %v: differs from what ssh-keygen signed", ours, err)
	}

	for name, armored := range map[string][]byte{
		"another namespace": sign("file"),
		"another hash":      sign(SSHNamespace, "-O", "hashalg=sha256"),
		"nothing":           nil,
		"two of them":       append(armored[:len(armored):len(armored)], armored...),
		"another PEM type":  bytes.ReplaceAll(armored, []byte("SSH SIGNATURE"), []byte("SSH SIGMATURE")),
		"too long":          append(armored[:len(armored):len(armored)], make([]byte, maxSSHSignatureSize)...),
	} {
		if _, _, err := ParseSSHSignature(armored); !errors.Is(err, ErrSSHSignature) {
			t.Errorf("%s: ParseSSHSignature: %v, want %v", name, err, ErrSSHSignature)
		}
	}
	if _, err := AssembleStatement(payload, Signature{}); !errors.Is(err, ErrStatementSigner) {
		t.Errorf("AssembleStatement with a bad signature: %v, want %v", err, ErrStatementSigner)
	}
}

func FuzzParseSSHSignature(f *testing.F) {
	k := testKey("a")
	sig, err := k.SignStatement([]byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(FormatSSHSignature(k.Public(), sig))
	f.Fuzz(func(t *testing.T, armored []byte) {
		pub, sig, err := ParseSSHSignature(armored)
		if err != nil {
			return
		}
		again, sigAgain, err := ParseSSHSignature(FormatSSHSignature(pub, sig))
		if err != nil || again != pub || sigAgain != sig {
			t.Errorf("format and parse: %v, %v", again, err)
		}
	})
}

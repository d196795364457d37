package identity

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/crypto/ssh"
)

// WriteKeyFile writes k to a new file in OpenSSH's format, readable by its
// owner alone (0600), encrypted if passphrase is not empty. The comment is
// stored beside the key as ssh-keygen -C does. It never replaces a file: the
// error then matches [fs.ErrExist]. When it returns nil, file and directory
// entry are durable; when it fails, no file is left.
func WriteKeyFile(path string, k *PrivateKey, comment string, passphrase []byte) error {
	var block *pem.Block
	var err error
	if len(passphrase) == 0 {
		block, err = ssh.MarshalPrivateKey(k.key, comment)
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(k.key, comment, passphrase)
	}
	if err != nil {
		return fmt.Errorf("identity: encode key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("identity: write key file: %w", err)
	}
	_, err = f.Write(pem.EncodeToMemory(block))
	err = errors.Join(err, f.Sync())
	err = errors.Join(err, f.Close())
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("identity: write key file: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadKeyFile reads an Ed25519 key in OpenSSH's format. For an encrypted file
// it calls passphrase, once, and only then. Errors name the path and match
// [ErrPermissions], [ErrPassphraseNeeded] (encrypted, and passphrase is nil),
// [ErrPassphrase] (the wrong one), [ErrKeyType], [ErrKeyFile], what passphrase
// returned, or what the operating system said.
func ReadKeyFile(path string, passphrase func() ([]byte, error)) (*PrivateKey, error) {
	k, err := readKeyFile(path, passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

func readKeyFile(path string, passphrase func() ([]byte, error)) (*PrivateKey, error) {
	text, err := readKeyText(path)
	if err != nil {
		return nil, err
	}
	return parseKey(text, passphrase, false)
}

// ImportKeyFile is [ReadKeyFile], and reads an unencrypted PKCS#8 file (RFC
// 8410, as openssl writes it) too.
func ImportKeyFile(path string, passphrase func() ([]byte, error)) (*PrivateKey, error) {
	text, err := readKeyText(path)
	if err == nil {
		var k *PrivateKey
		if k, err = parseKey(text, passphrase, true); err == nil {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// ImportKey is [ImportKeyFile] for a file's text, at most 64 KiB. Errors name no path.
func ImportKey(text []byte, passphrase func() ([]byte, error)) (*PrivateKey, error) {
	if len(text) > maxKeyFileSize {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrKeyFile, maxKeyFileSize)
	}
	return parseKey(text, passphrase, true)
}

// readKeyText returns what is in a private key file that only its owner may touch.
func readKeyText(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrKeyFile)
	}
	// Windows keeps no permission bits; its files inherit their directory's access list.
	if perm := info.Mode().Perm(); perm&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%w: mode is %#o, want 0600", ErrPermissions, perm)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFileSize {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrKeyFile, maxKeyFileSize)
	}
	return text, nil
}

// parseKey parses an OpenSSH private key, or, if foreign, a PKCS#8 one.
func parseKey(text []byte, passphrase func() ([]byte, error), foreign bool) (*PrivateKey, error) {
	raw, err := ssh.ParseRawPrivateKey(text)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		if passphrase == nil {
			return nil, ErrPassphraseNeeded
		}
		secret, perr := passphrase()
		if perr != nil {
			return nil, fmt.Errorf("read passphrase: %w", perr)
		}
		if len(secret) == 0 {
			return nil, ErrPassphrase
		}
		raw, err = ssh.ParseRawPrivateKeyWithPassphrase(text, secret)
		if errors.Is(err, x509.IncorrectPasswordError) {
			return nil, ErrPassphrase
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKeyFile, err)
	}
	var held ed25519.PrivateKey
	switch raw := raw.(type) {
	case *ed25519.PrivateKey: // OpenSSH's format
		held = *raw
	case ed25519.PrivateKey: // PKCS#8
		if !foreign {
			return nil, fmt.Errorf("%w: it is in PKCS#8's format, which `causeway key import` reads", ErrKeyFile)
		}
		held = raw
	default:
		return nil, fmt.Errorf("%w: %T", ErrKeyType, raw)
	}
	k := NewKeyFromSeed([ed25519.SeedSize]byte(held.Seed()))
	if !k.key.Equal(held) { // the public half in the file is of another key
		return nil, fmt.Errorf("%w: public and private half differ", ErrKeyFile)
	}
	return k, nil
}

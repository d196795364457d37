package etcdgw

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseListenURL(t *testing.T) {
	for _, tt := range []struct {
		text string
		want listenURL
	}{
		{"http://127.0.0.1:2379", listenURL{"http", "tcp", "127.0.0.1:2379", false}},
		{" https://localhost:0 ", listenURL{"https", "tcp", "localhost:0", true}},
		{"http://[::1]:2379", listenURL{"http", "tcp", "[::1]:2379", false}},
		{"http://:2379", listenURL{"http", "tcp", ":2379", false}},
		{"unix:///run/causeway.sock", listenURL{"unix", "unix", "/run/causeway.sock", false}},
		{"unixs://causeway.sock", listenURL{"unixs", "unix", "causeway.sock", true}},
	} {
		got, err := parseListenURL(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("parseListenURL(%q) = %v, %v, want %v, nil", tt.text, got, err, tt.want)
		}
	}
	for text, want := range map[string]string{
		"127.0.0.1:2379":           "first path segment in URL cannot contain colon",
		"localhost:2379":           "URL scheme must be http, https, unix, or unixs: localhost:2379",
		"ftp://127.0.0.1:2379":     "URL scheme must be http, https, unix, or unixs: ftp://127.0.0.1:2379",
		"http://127.0.0.1":         `URL address does not have the form "host:port": http://127.0.0.1`,
		"http://127.0.0.1:2379/v3": "URL must not contain a path: http://127.0.0.1:2379/v3",
		"http://example.com:2379":  "expected IP in URL for binding (http://example.com:2379)",
		"unix://":                  "URL names no socket: unix://",
	} {
		if got, err := parseListenURL(text); err == nil || !strings.Contains(err.Error(), want) || got != (listenURL{}) {
			t.Errorf("parseListenURL(%q) = %v, %v, want error %q", text, got, err, want)
		}
	}
}

func TestListenTakenPort(t *testing.T) {
	first, err := listen(context.Background(), "http://127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = listen(context.Background(), first.url, nil)
	if !errors.Is(err, ErrAddressInUse) {
		t.Fatalf("listen on a taken port = %v, want %v", err, ErrAddressInUse)
	}
	if want := "listen on " + first.url + ": address already in use"; err.Error() != want {
		t.Errorf("listen on a taken port = %q, want %q", err, want)
	}
}

func TestListenSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := listen(context.Background(), "unix://"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(context.Background(), "unix://"+path, nil); !errors.Is(err, ErrAddressInUse) {
		t.Errorf("listen on a socket in use = %v, want %v", err, ErrAddressInUse)
	}
	// What a killed process leaves behind is taken over.
	first.Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	first.Close()
	second, err := listen(context.Background(), "unix://"+path, nil)
	if err != nil {
		t.Fatalf("listen on a stale socket = %v, want nil", err)
	}
	second.Close()

	// A file that is no socket stays.
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(context.Background(), "unix://"+path, nil); err == nil {
		t.Error("listen on a regular file = nil, want an error")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file holds %q, %v after listen, want it untouched", b, err)
	}
}

func TestConfigValidate(t *testing.T) {
	good := Config{ClientURLs: []string{"http://127.0.0.1:0"}, ClusterID: 1, MemberID: 2, Name: "a"}
	if err := good.Validate(); err != nil {
		t.Fatalf("Validate = %v, want nil", err)
	}
	for name, change := range map[string]func(*Config){
		"no client URL":                    func(c *Config) { c.ClientURLs = nil },
		"bad client URL":                   func(c *Config) { c.ClientURLs = []string{"tcp://127.0.0.1:1"} },
		"bad metrics URL":                  func(c *Config) { c.MetricsURLs = []string{"127.0.0.1"} },
		"bad advertised URL":               func(c *Config) { c.AdvertiseClientURLs = []string{"example.com"} },
		"https without certificate":        func(c *Config) { c.ClientURLs = []string{"https://127.0.0.1:0"} },
		"certificate without key":          func(c *Config) { c.TLS.CertFile = "c" },
		"client certs without certificate": func(c *Config) { c.TLS.ClientCertAuth = true },
		"no cluster ID":                    func(c *Config) { c.ClusterID = 0 },
		"no member ID":                     func(c *Config) { c.MemberID = 0 },
		"no name":                          func(c *Config) { c.Name = "" },
		"negative size":                    func(c *Config) { c.MaxRequestBytes = -1 },
		"negative txn ops":                 func(c *Config) { c.MaxTxnOps = -1 },
		"bcrypt cost too small":            func(c *Config) { c.BcryptCost = 3 },
		"bcrypt cost too great":            func(c *Config) { c.BcryptCost = 32 },
		"negative token TTL":               func(c *Config) { c.AuthTokenTTL = -1 },
		"negative interval":                func(c *Config) { c.KeepAliveTimeout = -1 },
	} {
		c := good
		change(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: Validate = %v, want %v", name, err, ErrConfig)
		}
	}
}

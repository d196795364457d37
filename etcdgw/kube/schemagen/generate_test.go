package main

import (
	"os"
	"testing"
)

// TestCommitted: the committed tables are what the generator makes.
func TestCommitted(t *testing.T) {
	g, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../schemas.txt")
	if err != nil {
		t.Fatal(err)
	}
	if g.text() != string(committed) {
		t.Error("schemas.txt is not what the generator makes; run go generate in etcdgw/kube")
	}
	n, err := nameFields()
	if err != nil {
		t.Fatal(err)
	}
	if committed, err = os.ReadFile("../fields.txt"); err != nil {
		t.Fatal(err)
	}
	if n.text() != string(committed) {
		t.Error("fields.txt is not what the generator makes; run go generate in etcdgw/kube")
	}
}

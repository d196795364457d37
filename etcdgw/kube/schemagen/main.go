// Command schemagen writes how the built-in kinds of Kubernetes merge, and
// what their fields are called: the tables that package kube embeds
// (etcdgw/kube/table.go and fields.go say how they read):
//
//	go run . -o ../schemas.txt -fields ../fields.txt
//	go run . -count    what the table holds, as a table in Markdown
//
// Field numbers and the nesting of messages are in the struct tags of the Go
// types, list types and keys in the schema of server-side apply. What both
// leave out is in rules.go. go.mod pins the versions of all of it.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "", "write the table to this `file`")
	fields := flag.String("fields", "", "write the names of fields to this `file`")
	count := flag.Bool("count", false, "print how much of each group is merged")
	flag.Parse()
	if flag.NArg() > 0 || *out == "" && *fields == "" && !*count {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*out, *fields, *count); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func run(out, fields string, count bool) error {
	g, err := generate()
	if err != nil {
		return err
	}
	if count {
		fmt.Print(g.count())
	}
	if out != "" {
		if err := os.WriteFile(out, []byte(g.text()), 0o666); err != nil {
			return err
		}
	}
	if fields == "" {
		return nil
	}
	n, err := nameFields()
	if err != nil {
		return err
	}
	return os.WriteFile(fields, []byte(n.text()), 0o666)
}

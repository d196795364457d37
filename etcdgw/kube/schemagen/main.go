// Command schemagen writes how the built-in kinds of Kubernetes merge, the
// table that package kube embeds (etcdgw/kube/table.go says how it reads):
//
//	go run . -o ../schemas.txt
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
	count := flag.Bool("count", false, "print how much of each group is merged")
	flag.Parse()
	if flag.NArg() > 0 || *out == "" && !*count {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*out, *count); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func run(out string, count bool) error {
	g, err := generate()
	if err != nil {
		return err
	}
	if count {
		fmt.Print(g.count())
	}
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(g.text()), 0o666)
}

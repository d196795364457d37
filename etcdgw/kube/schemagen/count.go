package main

import (
	"fmt"
	"reflect"
	"strings"
)

// A tally counts the places of a group of kinds: paths of fields through maps and lists.
type tally struct {
	kinds, unmerged                            int
	scalars, whole, records, maps, lists, sets int
}

// count returns a table of how much of each group is merged.
func (g *generator) count() string {
	var groups []string
	tallies := make(map[string]*tally)
	var sum tally
	for _, k := range g.kinds {
		group := k.Group
		if group == "" {
			group = "core"
		}
		t, ok := tallies[group]
		if !ok {
			t = new(tally)
			tallies[group], groups = t, append(groups, group)
		}
		t.kinds++
		if !g.roots[k.typ] {
			t.unmerged++
			continue
		}
		g.places(t, k.typ)
	}
	var b strings.Builder
	b.WriteString("| group | kinds | not merged | scalars | leaves with structure | records | maps | keyed lists | sets |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	line := func(name string, t *tally) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d | %d | %d |\n",
			name, t.kinds, t.unmerged, t.scalars, t.whole, t.records, t.maps, t.lists, t.sets)
	}
	for _, name := range groups {
		t := tallies[name]
		line(name, t)
		for _, n := range []struct {
			to *int
			of int
		}{
			{&sum.kinds, t.kinds}, {&sum.unmerged, t.unmerged}, {&sum.scalars, t.scalars}, {&sum.whole, t.whole},
			{&sum.records, t.records}, {&sum.maps, t.maps}, {&sum.lists, t.lists}, {&sum.sets, t.sets},
		} {
			*n.to += n.of
		}
	}
	line("**all**", &sum)
	return b.String()
}

// places adds the fields of a type of records, and what is in them.
func (g *generator) places(c *tally, t reflect.Type) {
	eachField(t, func(in reflect.Type, name string, f reflect.Type) {
		shape := ""
		for _, line := range g.types[typeName(in)] {
			if words := strings.SplitN(line, " ", 3); words[0] == name {
				shape = words[2]
			}
		}
		g.place(c, strings.Fields(shape), f)
	})
}

// place adds a field of a shape, or what a map or a list holds.
func (g *generator) place(c *tally, shape []string, f reflect.Type) {
	for f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	word := ""
	if len(shape) > 0 {
		word = shape[0]
	}
	switch word {
	case "record":
		c.records++
		g.places(c, f)
	case "map":
		c.maps++
		g.place(c, shape[1:], f.Elem())
	case "list":
		c.lists++
		g.place(c, shape[2:], f.Elem())
	case "managed":
		c.maps++
	case "set":
		c.sets++
	default:
		if hasStructure(f) {
			c.whole++
		} else {
			c.scalars++
		}
	}
}

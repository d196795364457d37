package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/causeway-sync/causeway/integration/rival"
)

// figure names a figure of one server and keyspace.
type figure struct {
	name   string
	server string
	keys   int
}

// table gathers what was measured.
type table struct {
	names  []string // in the order they came
	values map[figure][]float64
}

func (t *table) add(s *site, name string, v float64) {
	if t.values == nil {
		t.values = make(map[figure][]float64)
	}
	if !slices.Contains(t.names, name) {
		t.names = append(t.names, name)
	}
	f := figure{name, s.server.Name, s.keys}
	t.values[f] = append(t.values[f], v)
}

func itself(v float64) float64 { return v }

// median returns the median of a figure, false if it was not measured.
func (t *table) median(f figure) (float64, bool) {
	if len(t.values[f]) == 0 {
		return 0, false
	}
	return rival.Median(t.values[f], itself), true
}

// ratio returns the median of the ratios of the figures' pairs: they were
// measured one after the other.
func (t *table) ratio(a, b figure) (float64, bool) {
	n := min(len(t.values[a]), len(t.values[b]))
	if n == 0 {
		return 0, false
	}
	ratios := make([]float64, n)
	for i := range ratios {
		ratios[i] = t.values[a][i] / t.values[b][i]
	}
	return rival.Median(ratios, itself), true
}

// print writes a row per figure: medians by keyspace and server, the ratio of
// the servers, and, per server, the ratio of the large keyspace to the small.
func (t *table) print(w io.Writer, o options) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	sizes := []int{o.small, o.large}
	servers := []string{rival.Causeway, rival.Etcd}
	fmt.Fprint(tw, "median\t")
	for _, keys := range sizes {
		for _, s := range servers {
			fmt.Fprintf(tw, "%s %d\t", s, keys)
		}
		fmt.Fprint(tw, "ratio\t")
	}
	for _, s := range servers {
		fmt.Fprintf(tw, "%s large/small\t", s)
	}
	fmt.Fprintln(tw)
	cell := func(v float64, ok bool) {
		if !ok {
			fmt.Fprint(tw, "-\t")
			return
		}
		fmt.Fprintf(tw, "%.3f\t", v)
	}
	for _, name := range t.names {
		fmt.Fprintf(tw, "%s\t", name)
		for _, keys := range sizes {
			for _, s := range servers {
				cell(t.median(figure{name, s, keys}))
			}
			cell(t.ratio(figure{name, rival.Causeway, keys}, figure{name, rival.Etcd, keys}))
		}
		for _, s := range servers {
			large, ok1 := t.median(figure{name, s, o.large})
			small, ok2 := t.median(figure{name, s, o.small})
			cell(large/small, ok1 && ok2)
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
}

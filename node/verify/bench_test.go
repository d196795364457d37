package verify_test

import (
	"fmt"
	"testing"

	"github.com/causeway-sync/causeway/node/verify"
)

// BenchmarkRun checks a directory of some thousand operations.
func BenchmarkRun(b *testing.B) {
	s := newSite(b)
	for i := range 2000 {
		s.put(fmt.Sprint("k", i%500), fmt.Sprintf("%0400d", i))
		if i%4 == 0 {
			s.write(2)
		}
	}
	dir := s.close()
	b.ResetTimer()
	var r *verify.Report
	for b.Loop() {
		r = run(b, dir, verify.Options{})
	}
	if r.Verdict != verify.Sound {
		b.Fatalf("%+v", r)
	}
	b.ReportMetric(float64(r.Operations)*float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

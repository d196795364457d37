// Attack measures what the loudest attacks do to a node's own clients:
//
//	go run ./integration/bench/attack
//
// A node and its client share one core; the attackers, and a second correct node,
// have the other. The client puts one value after another at a quiet pace. Each
// round measures it quiet and then under each attack; it prints the latencies of
// every round, what of its core the node had, and the medians of the rounds' ratios. The bounds that the project
// set itself are p50 at most 1.5 and p99 at most 3 times the quiet one; with -check
// the command fails where they are missed.
//
// Attackers come by TCP. The kernel delivers on loopback what they send on their core, up to the
// socket's queue; what the node sends, it delivers on the node's. On systems other than Linux
// nothing is bound to a core.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/integration/adversary"
	"github.com/causeway-sync/causeway/integration/usage"
)

// The bounds of the ratios of own writes' latencies, attacked to quiet.
const boundP50, boundP99 = 1.5, 3.0

// mesh is what both processes found.
var mesh = adversary.Config{Name: "bench", Sites: 2, Liars: 120, Args: []string{"--enable-pprof"}}

// attackCommand is the hidden first argument of the attackers' process.
const attackCommand = "attack"

func main() {
	if len(os.Args) == 4 && os.Args[1] == attackCommand {
		attack(os.Args[2], os.Args[3])
		return
	}
	rounds := flag.Int("rounds", 3, "rounds; each measures every attack beside a quiet time")
	duration := flag.Duration("duration", 5*time.Second, "counted time of each measurement")
	only := flag.String("attack", "", "only this attack")
	pace := flag.Duration("pace", 4*time.Millisecond, "the client's pause between two puts")
	history := flag.Int("history", 20, "MiB of history before, for those who ask for it again and again")
	profile := flag.String("profile", "", "where to write the node's CPU profile of the last attacked time")
	trace := flag.String("trace", "", "where to write the node's execution trace of the last attacked time")
	check := flag.Bool("check", false, "fail if a bound is missed")
	flag.Parse()
	b := bench{rounds: *rounds, duration: *duration, pace: *pace, history: *history, profile: *profile, trace: *trace}
	for name := range adversary.Loud {
		if *only == "" || *only == name {
			b.attacks = append(b.attacks, name)
		}
	}
	sort.Strings(b.attacks)
	if len(b.attacks) == 0 {
		fmt.Fprintf(os.Stderr, "no attack is called %s\n", *only)
		os.Exit(2)
	}
	suite := adversary.NewSuite()
	missed := b.run(suite)
	suite.End()
	if *check && missed {
		os.Exit(1)
	}
}

// attack runs one attack on the node at an address, until the process is interrupted.
func attack(name, address string) {
	bind(1)
	go leash()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	suite := adversary.NewSuite()
	defer suite.End()
	f := adversary.NewForce(suite, mesh, address)
	fmt.Println("ready")
	adversary.Loud[name](f, ctx)
}

// maxMemory bounds the attackers' heap, in bytes: they are loud, not large.
const maxMemory = 1 << 30

// leash ends the attackers' process with that which started it, or when it grows too large.
func leash() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // a pipe, which nobody writes to
		os.Exit(0)
	}()
	for range time.Tick(100 * time.Millisecond) {
		var m runtime.MemStats
		if runtime.ReadMemStats(&m); m.HeapInuse > maxMemory {
			fmt.Fprintln(os.Stderr, "attack: its heap is over its bound")
			os.Exit(3)
		}
	}
}

type bench struct {
	rounds   int
	duration time.Duration
	pace     time.Duration
	history  int // MiB
	attacks  []string
	profile  string
	trace    string
}

// latency is what own writes took.
type latency struct {
	p50, p99 time.Duration
	cores    float64 // what of its core the node had meanwhile
}

// run prints every measurement, and reports whether a bound was missed.
func (b bench) run(suite *adversary.Suite) (missed bool) {
	bind(0) // this process and its client, and the node that it starts
	m := adversary.New(suite, mesh)
	victim := m.Sites[0]
	bindProcess(m.Sites[1].PID(), 1)
	for _, s := range m.Sites {
		defer s.Writer.Pause()()
	}
	for i := range 4 * b.history {
		victim.Put(suite, fmt.Sprintf("/history/%d", i), strings.Repeat("x", 256<<10))
	}
	fmt.Printf("one client, a put of 64 bytes every %v and what it takes; %v per measurement; %d MiB of history\n\n", b.pace, b.duration, b.history)
	fmt.Printf("%-14s %8s %8s %6s   %8s %8s %6s   %5s %5s\n", "", "quiet p50", "p99", "core", "attacked p50", "p99", "core", "p50", "p99")
	ratios := make(map[string][2][]float64)
	for round := range b.rounds {
		for _, name := range b.attacks {
			quiet := b.measure(suite, victim)
			stop := b.start(suite, name, victim)
			time.Sleep(time.Second)
			done := b.record(victim)
			loud := b.measure(suite, victim)
			done()
			stop()
			time.Sleep(2 * time.Second) // what the attack left behind is done
			r := ratios[name]
			r[0] = append(r[0], float64(loud.p50)/float64(quiet.p50))
			r[1] = append(r[1], float64(loud.p99)/float64(quiet.p99))
			ratios[name] = r
			fmt.Printf("%-14s %8.2f %8.2f %5.0f%%   %8.2f %8.2f %5.0f%% ms   %5.2f %5.2f   round %d\n", name, ms(quiet.p50), ms(quiet.p99), 100*quiet.cores,
				ms(loud.p50), ms(loud.p99), 100*loud.cores, r[0][round], r[1][round], round+1)
		}
	}
	fmt.Printf("\n%-14s %6s %6s   medians of the rounds; at most %.1f and %.1f\n", "", "p50", "p99", boundP50, boundP99)
	for _, name := range b.attacks {
		p50, p99 := median(ratios[name][0]), median(ratios[name][1])
		verdict := "kept"
		if p50 > boundP50 || p99 > boundP99 {
			verdict, missed = "MISSED", true
		}
		fmt.Printf("%-14s %6.2f %6.2f   %s\n", name, p50, p99, verdict)
	}
	return missed
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// measure has one client put at its pace, and returns what that took.
func (b bench) measure(suite *adversary.Suite, s *adversary.Site) latency {
	var took []time.Duration
	before, err := usage.Of(s.PID())
	if err != nil {
		suite.Fatal(err)
	}
	began := time.Now()
	value := []byte(strings.Repeat("v", 64))
	for ; time.Since(began) < b.duration; time.Sleep(b.pace) {
		at := time.Now()
		_, err := s.KV().Put(suite.Context(), &pb.PutRequest{Key: fmt.Appendf(nil, "/bench/%d", len(took)%1000), Value: value})
		if err != nil {
			suite.Fatal(err)
		}
		took = append(took, time.Since(at))
	}
	after, err := usage.Of(s.PID())
	if err != nil {
		suite.Fatal(err)
	}
	slices.Sort(took)
	return latency{took[len(took)/2], took[len(took)*99/100], float64(after.CPU-before.CPU) / float64(time.Since(began))}
}

// start runs an attack in a process of its own, and returns what ends it.
func (b bench) start(suite *adversary.Suite, name string, victim *adversary.Site) (stop func()) {
	self, err := os.Executable()
	if err != nil {
		suite.Fatal(err)
	}
	cmd := exec.Command(self, attackCommand, name, victim.Address())
	out, err := cmd.StdoutPipe()
	if err != nil {
		suite.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	hold, err := cmd.StdinPipe() // its end ends it
	if err != nil {
		suite.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		suite.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 16)); err != nil { // ready
		suite.Fatal(err)
	}
	return func() {
		_ = hold.Close()
		_ = cmd.Process.Kill() // no matter where it is
		_ = cmd.Wait()
	}
}

// record has the node profile itself from now on; the result waits for it.
func (b bench) record(s *adversary.Site) (done func()) {
	var wg sync.WaitGroup
	for what, file := range map[string]string{"profile": b.profile, "trace": b.trace} {
		if file == "" {
			continue
		}
		wg.Go(func() {
			resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", s.Client, what, max(1, int(b.duration.Seconds()))))
			if err == nil {
				var text []byte
				text, err = io.ReadAll(resp.Body)
				resp.Body.Close()
				if err == nil {
					err = os.WriteFile(file, text, 0o644)
				}
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, what+":", err)
			}
		})
	}
	return wg.Wait
}

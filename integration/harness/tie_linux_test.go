package harness

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// victimEnv makes TestNodeEndsWithTheTest the process that is killed.
const victimEnv = "CAUSEWAY_HARNESS_VICTIM"

// TestNodeEndsWithTheTest kills a test process that runs a node, and looks
// whether the node still listens.
func TestNodeEndsWithTheTest(t *testing.T) {
	if os.Getenv(victimEnv) != "" {
		n := NewNode(t)
		n.Start()
		os.Stdout.WriteString("node " + n.Client + "\n")
		select {}
	}
	victim := exec.Command(os.Args[0], "-test.run=^TestNodeEndsWithTheTest$")
	victim.Env = append(os.Environ(), victimEnv+"=1", "TMPDIR="+t.TempDir())
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := startTied(victim); err != nil {
		t.Fatal(err)
	}
	var node string
	lines := bufio.NewScanner(out)
	for node == "" && lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "node "); ok {
			node = addr
		}
	}
	conn, err := net.Dial("tcp", node)
	if err != nil {
		t.Fatalf("the node does not listen: %v", err)
	}
	conn.Close()
	_ = victim.Process.Kill()
	_ = victim.Wait()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", node)
		if err != nil {
			break
		}
		conn.Close()
		if time.Since(start) > StartTimeout {
			t.Fatalf("the node at %s outlived the test process", node)
		}
	}
}

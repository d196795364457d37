// Package kubetest makes Kubernetes objects for tests and benchmarks.
package kubetest

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Pod makes a Pod of about 2 KB whose status was updated n times, in one encoding: of
// two conditions the time, and the restarts of the container.
type Pod struct {
	Name string // of the encoding: json or protobuf
	Make func(n int) []byte
}

// Pods are both encodings.
var Pods = []Pod{{"json", podJSON}, {"protobuf", podProtobuf}}

func podJSON(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-7c5ddbdf54-x2x7p","namespace":"default","uid":"0d6f0a6e-5d0c-4c5a-9f0e-1d2c3b4a5f60","labels":{"app":"web","pod-template-hash":"7c5ddbdf54"}},"spec":{"containers":[{"name":"web","image":"registry.example/web:1.2.3","env":[`)
	for i := range 17 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"VARIABLE_%d","value":"a value of some length, number %d"}`, i, i)
	}
	b.WriteString(`],"ports":[{"containerPort":8080,"protocol":"TCP"}]}],"nodeName":"node-1"},"status":{"phase":"Running","conditions":[`)
	for i, c := range []string{"Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		if i > 0 {
			b.WriteByte(',')
		}
		at := 0
		if c == "Ready" || c == "ContainersReady" {
			at = n
		}
		fmt.Fprintf(&b, `{"type":%q,"status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-29T%02d:%02d:%02dZ"}`, c, at/3600%24, at/60%60, at%60)
	}
	fmt.Fprintf(&b, `],"hostIP":"10.0.0.1","podIP":"10.1.0.7","containerStatuses":[{"name":"web","ready":true,"restartCount":%d}]}}`+"\n", n)
	return []byte(b.String())
}

// wire makes protobuf messages.
type wire []byte

func (w wire) text(field protowire.Number, s string) wire {
	return protowire.AppendString(protowire.AppendTag(w, field, protowire.BytesType), s)
}

func (w wire) number(field protowire.Number, n int) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, field, protowire.VarintType), uint64(n))
}

func podProtobuf(n int) []byte {
	meta := wire{}.text(1, "web-7c5ddbdf54-x2x7p").text(3, "default").text(5, "0d6f0a6e-5d0c-4c5a-9f0e-1d2c3b4a5f60")
	meta = meta.text(11, string(wire{}.text(1, "app").text(2, "web"))).text(11, string(wire{}.text(1, "pod-template-hash").text(2, "7c5ddbdf54")))
	container := wire{}.text(1, "web").text(2, "registry.example/web:1.2.3").text(6, string(wire{}.number(3, 8080).text(4, "TCP")))
	for i := range 34 {
		container = container.text(7, string(wire{}.text(1, fmt.Sprintf("VARIABLE_%d", i)).text(2, fmt.Sprintf("a value of some length, number %d", i))))
	}
	spec := wire{}.text(2, string(container)).text(10, "node-1")
	status := wire{}.text(1, "Running")
	for _, c := range []string{"Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		at := 0
		if c == "Ready" || c == "ContainersReady" {
			at = n
		}
		status = status.text(2, string(wire{}.text(1, c).text(2, "True").text(3, "").text(4, string(wire{}.number(1, 1_700_000_000+at)))))
	}
	status = status.text(5, "10.0.0.1").text(6, "10.1.0.7").text(8, string(wire{}.text(1, "web").number(4, 1).number(5, n)))
	object := wire{}.text(1, string(meta)).text(2, string(spec)).text(3, string(status))
	unknown := wire{}.text(1, string(wire{}.text(1, "v1").text(2, "Pod"))).text(2, string(object)).text(3, "").text(4, "")
	return append([]byte("k8s\x00"), unknown...)
}

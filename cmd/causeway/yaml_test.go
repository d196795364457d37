package main

import "testing"

func TestYAML(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:    "{}\n",
		`[]`:    "[]\n",
		`"a b"`: "\"a b\"\n",
		`null`:  "null\n",
		`1.50`:  "1.50\n",
		`{"b":1,"a":[{"x":"on","y":[]},["z",[1]],"w"],"c":{"d":{}},"e/f":"<a>","":"1","g":"v1.2","h":"line\n"}`: `b: 1
a:
  - x: "on"
    "y": []
  - - z
    - - 1
  - w
c:
  d: {}
e/f: "<a>"
"": "1"
g: v1.2
h: "line\n"
`,
	} {
		got, err := appendYAML(nil, []byte(text))
		if err != nil || string(got) != want {
			t.Errorf("appendYAML(%s) = %v\n%s\nwant\n%s", text, err, got, want)
		}
	}
	for _, bad := range []string{"", "{", `{"a"`, "[1"} {
		if got, err := appendYAML(nil, []byte(bad)); err == nil {
			t.Errorf("appendYAML(%s) = %s", bad, got)
		}
	}
}

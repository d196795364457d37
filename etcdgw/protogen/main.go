// Command protogen generates the Go code of a .proto file that speaks of etcd's
// messages, next to it. It is run in its own folder:
//
//	go run . ../v3lockpb/v3lock.proto
//
// It needs no protoc: the file is compiled by a library, and go.mod names the
// versions of all that is used, so that the output depends on nothing else.
//
// The messages have the names of etcd's, and a name can be registered but once
// in a process. So that a program may link this code and etcd's server (tests
// that compare the two do), the code registers what it describes in registries
// of its own.
package main

import (
	"bytes"
	"context"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: protogen FILE.proto")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	dir, name := filepath.Split(file)
	request, err := compile(dir, name)
	if err != nil {
		return err
	}
	messages, err := generateMessages(request)
	if err != nil {
		return err
	}
	services, err := generateServices(request)
	if err != nil {
		return err
	}
	for _, f := range append(messages, services...) {
		code, err := format.Source([]byte(f.GetContent()))
		if err != nil {
			return fmt.Errorf("%s: %w", f.GetName(), err)
		}
		if err := os.WriteFile(filepath.Join(dir, f.GetName()), code, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// compile compiles the file and returns what a plugin of protoc is asked.
func compile(dir, name string) (*pluginpb.CodeGeneratorRequest, error) {
	imports := protocompile.ResolverFunc(func(name string) (protocompile.SearchResult, error) {
		f, err := protoregistry.GlobalFiles.FindFileByPath(name)
		if err != nil { // etcd's files import each other by longer names than those they register
			f, err = protoregistry.GlobalFiles.FindFileByPath(path.Base(name))
		}
		if err != nil {
			return protocompile.SearchResult{}, err
		}
		p := protodesc.ToFileDescriptorProto(f)
		p.Name = proto.String(name)
		return protocompile.SearchResult{Proto: p}, nil
	})
	compiler := protocompile.Compiler{
		Resolver:       protocompile.CompositeResolver{&protocompile.SourceResolver{ImportPaths: []string{dir}}, imports},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), name)
	if err != nil {
		return nil, err
	}
	request := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{name},
		Parameter:      proto.String("paths=source_relative"),
	}
	seen := make(map[string]bool)
	var add func(f protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		request.ProtoFile = append(request.ProtoFile, withGoPackage(protodesc.ToFileDescriptorProto(f)))
	}
	add(files[0])
	return request, nil
}

// withGoPackage names the Go packages of etcd's files by their full paths.
func withGoPackage(f *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	etcd := map[string]string{
		"etcdserverpb": "go.etcd.io/etcd/api/v3/etcdserverpb",
		"mvccpb":       "go.etcd.io/etcd/api/v3/mvccpb",
		"authpb":       "go.etcd.io/etcd/api/v3/authpb",
		"versionpb":    "go.etcd.io/etcd/api/v3/versionpb",
	}
	if path, ok := etcd[f.GetPackage()]; ok {
		f.Options = proto.CloneOf(f.Options)
		if f.Options == nil {
			f.Options = &descriptorpb.FileOptions{}
		}
		f.Options.GoPackage = proto.String(path)
	}
	return f
}

// generateMessages does what protoc-gen-go does, and then gives the code
// registries of its own.
func generateMessages(request *pluginpb.CodeGeneratorRequest) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		return nil, err
	}
	for _, f := range plugin.Files {
		if f.Generate {
			internal_gengo.GenerateFile(plugin, f)
		}
	}
	response := plugin.Response()
	if response.Error != nil {
		return nil, fmt.Errorf("generate messages: %s", response.GetError())
	}
	for _, f := range response.File {
		code := f.GetContent()
		for _, edit := range []struct{ after, insert string }{
			{"\tprotoreflect \"google.golang.org/protobuf/reflect/protoreflect\"\n", "\tprotoregistry \"google.golang.org/protobuf/reflect/protoregistry\"\n"},
			{"\t\tFile: protoimpl.DescBuilder{\n", "\t\t\tFileRegistry: new(protoregistry.Files),\n"},
			{"\tout := protoimpl.TypeBuilder{\n", "\t\tTypeRegistry: new(protoregistry.Types),\n"},
		} {
			if n := strings.Count(code, edit.after); n != 1 {
				return nil, fmt.Errorf("%s has %d times %q, want 1", f.GetName(), n, edit.after)
			}
			code = strings.Replace(code, edit.after, edit.after+edit.insert, 1)
		}
		f.Content = proto.String(code)
	}
	return response.File, nil
}

// generateServices runs protoc-gen-go-grpc, a tool of this module.
func generateServices(request *pluginpb.CodeGeneratorRequest) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	input, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "tool", "protoc-gen-go-grpc")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("protoc-gen-go-grpc: %w", err)
	}
	response := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(output, response); err != nil {
		return nil, err
	}
	if response.Error != nil {
		return nil, fmt.Errorf("protoc-gen-go-grpc: %s", response.GetError())
	}
	return response.File, nil
}

// The files that are imported are those of these packages.
var _, _ = pb.File_rpc_proto, mvccpb.File_kv_proto

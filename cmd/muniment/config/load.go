package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"muniment/anchor/bounded"
)

// Prefix begins the names of the environment variables.
const Prefix = "MUNIMENT_"

// Load fills a configuration from its defaults, then a file, then the environment. An empty path means no file. A
// relative path that stands in the file is relative to the file's folder, so that the file means the same wherever the
// program is started; one in a variable or a flag is relative to the working directory. It does not check the values,
// because flags may follow: call Check when all have spoken.
func Load(path string, getenv func(string) string) (Config, error) {
	c := Default()
	if path != "" {
		data, err := bounded.ReadFile(path, bounded.Small)
		if err != nil {
			return c, fmt.Errorf("reading the configuration: %w", err)
		}
		if err := parseFile(data, filepath.Dir(path), &c); err != nil {
			return c, fmt.Errorf("reading the configuration %s: %w", path, err)
		}
	}
	if err := fromEnvironment(&c, getenv); err != nil {
		return c, fmt.Errorf("reading the configuration from the environment: %w", err)
	}
	return c, nil
}

// parseFile reads the file's YAML; relative paths in it are relative to the folder.
func parseFile(data []byte, folder string, c *Config) error {
	const unset = "\x00" // is no path
	paths := map[string]string{}
	for _, l := range leaves(reflect.ValueOf(c).Elem(), "") {
		if l.isPath {
			paths[l.path] = l.value.String()
			l.value.SetString(unset)
		}
	}
	err := parse(data, c) // what could be read of a bad file is used too, by the doctor
	for _, l := range leaves(reflect.ValueOf(c).Elem(), "") {
		if !l.isPath {
			continue
		}
		switch text := l.value.String(); {
		case text == unset:
			l.value.SetString(paths[l.path])
		case text != "" && !filepath.IsAbs(text):
			l.value.SetString(filepath.Join(folder, text))
		}
	}
	return err
}

// parse reads YAML strictly: unknown keys, keys that stand there twice, keys without a value and a second document are
// refused.
func parse(data []byte, into any) error {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return explain(err, into)
	}
	if len(file.Docs) > 1 {
		return errors.New("there is more than one document in it; write one, without a line of ---")
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil || file.Docs[0].Body.Type() == ast.CommentType {
		return nil
	}
	var empty emptyValue
	ast.Walk(&empty, file.Docs[0].Body)
	if empty.key != "" {
		return fmt.Errorf("line %d: %q has no value; write one, or leave the key out", empty.line, empty.key)
	}
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(into); err != nil {
		return explain(err, into)
	}
	return nil
}

// emptyValue finds a key without a value, which would silently undo a default.
type emptyValue struct {
	key  string
	line int
}

// Visit implements [ast.Visitor].
func (e *emptyValue) Visit(n ast.Node) ast.Visitor {
	if m, ok := n.(*ast.MappingValueNode); ok && m.Value.Type() == ast.NullType && e.key == "" {
		e.key, e.line = m.Key.GetToken().Value, m.Key.GetToken().Position.Line
	}
	return e
}

// explain says what to write instead.
func explain(err error, into any) error {
	var (
		unknown *yaml.UnknownFieldError
		syntax  *yaml.SyntaxError
		kind    *yaml.TypeError
		node    *yaml.UnexpectedNodeTypeError
	)
	line := func(e yaml.Error) int { return e.GetToken().Position.Line }
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetToken().Value
		hint := "the keys are " + strings.Join(keys(into), ", ")
		if near := nearest(name, keys(into)); near != "" {
			hint = "did you mean " + near + "?"
		}
		return fmt.Errorf("line %d: there is no key %q; %s", line(unknown), name, hint)
	case errors.As(err, &syntax) && strings.Contains(syntax.Message, "already defined"):
		return fmt.Errorf("line %d: %q stands there twice; keep one of them", line(syntax), syntax.Token.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("line %d: %q is no %s", line(kind), kind.Token.Value, plainName(kind.DstType.Kind()))
	case errors.As(err, &node) && node.Expected == ast.MappingType:
		return fmt.Errorf("line %d: %q is no %s", line(node), node.Token.Value, plainName(reflect.Struct))
	}
	return errors.New(yaml.FormatError(err, false, false))
}

// plainName says what a value must be in words.
func plainName(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "truth value; write true or false"
	case reflect.Int:
		return "number; write digits alone"
	case reflect.Slice:
		return "list; write [a, b], or a line with a dash for each"
	case reflect.Struct:
		return "group; write its keys on lines of their own, indented"
	}
	return k.String()
}

// leaf is one settable field.
type leaf struct {
	path   string // "anchor.every"
	value  reflect.Value
	isPath bool // names a file or folder
}

// env is the name of the field's environment variable.
func (l leaf) env() string { return Prefix + strings.ToUpper(strings.ReplaceAll(l.path, ".", "_")) }

// leaves are the settable fields of a struct, nested ones included.
func leaves(v reflect.Value, prefix string) []leaf {
	var out []leaf
	for i := range v.NumField() {
		field := v.Type().Field(i)
		path := prefix + field.Tag.Get("yaml")
		_, text := v.Field(i).Addr().Interface().(encoding.TextUnmarshaler)
		if field.Type.Kind() == reflect.Struct && !text {
			out = append(out, leaves(v.Field(i), path+".")...)
			continue
		}
		out = append(out, leaf{path, v.Field(i), field.Tag.Get("path") == "true"})
	}
	return out
}

// keys are the paths of all fields.
func keys(into any) []string {
	var out []string
	for _, l := range leaves(reflect.ValueOf(into).Elem(), "") {
		out = append(out, l.path)
	}
	return out
}

// Variables are the environment variables that set a field of c.
func Variables() []string {
	var out []string
	for _, l := range leaves(reflect.ValueOf(new(Config)).Elem(), "") {
		out = append(out, l.env())
	}
	return out
}

func fromEnvironment(c *Config, getenv func(string) string) error {
	for _, l := range leaves(reflect.ValueOf(c).Elem(), "") {
		text := getenv(l.env())
		if text == "" {
			continue
		}
		if err := set(l.value, text); err != nil {
			return fmt.Errorf("%s: %w", l.env(), err)
		}
	}
	return nil
}

// set puts a text into a field.
func set(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is no truth value; write true or false", text)
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no %s", text, plainName(reflect.Int))
		}
		v.SetInt(int64(n))
	case reflect.Slice:
		var items []string
		for item := range strings.SplitSeq(text, ",") {
			items = append(items, strings.TrimSpace(item))
		}
		v.Set(reflect.ValueOf(items))
	default:
		return fmt.Errorf("cannot be set from text")
	}
	return nil
}

package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"upfront/api"
)

// decode reads the body of a request strictly: where encoding/json forgives
// (unknown fields, fields given twice, other letter case), a typing mistake in a
// deploy script would silently mean a default. The error names the field.
func decode[T any](body []byte) (T, error) {
	var value T
	if len(bytes.TrimSpace(body)) == 0 {
		return value, nil
	}
	err := checkSyntax(body)
	if err == nil {
		err = checkValue(body, reflect.TypeFor[T](), "")
	}
	if err == nil {
		err = json.Unmarshal(body, &value)
	}
	if err != nil {
		return value, &api.Error{Code: api.CodeInvalid, Message: "decode request: " + err.Error()}
	}
	return value, nil
}

// checkSyntax says that body is exactly one JSON value.
func checkSyntax(body []byte) error {
	err := json.Unmarshal(body, new(json.RawMessage))
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	return err
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// checkValue compares value, which is valid JSON, with the type that it is for.
// It goes as deep as the type does.
func checkValue(value json.RawMessage, t reflect.Type, path string) error {
	if string(value) == "null" {
		return checkNull(t, path)
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case reflect.PointerTo(t).Implements(unmarshaler):
		return checkLeaf(value, t, path)
	case t.Kind() == reflect.Struct:
		return checkStruct(value, t, path)
	case t.Kind() == reflect.Map:
		return eachField(value, path, func(name string, value json.RawMessage) error {
			return checkValue(value, t.Elem(), join(path, name))
		})
	case t.Kind() == reflect.Slice:
		return checkSlice(value, t, path)
	default:
		return checkLeaf(value, t, path)
	}
}

// checkNull accepts null only where Go writes it: for an empty list or map.
func checkNull(t reflect.Type, path string) error {
	switch {
	case path == "", t.Kind() == reflect.Slice, t.Kind() == reflect.Map, t.Kind() == reflect.Pointer:
		return nil
	}
	return fmt.Errorf("field %q is null: leave it out for its default", path)
}

func checkStruct(value json.RawMessage, t reflect.Type, path string) error {
	fields := fieldsOf(t)
	return eachField(value, path, func(name string, value json.RawMessage) error {
		field, ok := fields[name]
		if !ok {
			return fmt.Errorf("unknown field %q", join(path, name))
		}
		return checkValue(value, field, join(path, name))
	})
}

func checkSlice(value json.RawMessage, t reflect.Type, path string) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(value, &elements); err != nil {
		return wrongKind(value, path, "a list")
	}
	for i, element := range elements {
		if err := checkValue(element, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}

func checkLeaf(value json.RawMessage, t reflect.Type, path string) error {
	err := json.Unmarshal(value, reflect.New(t).Interface())
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return wrongKind(value, path, kindOf(t))
	}
	if err != nil {
		return fmt.Errorf("field %q: %w", path, err)
	}
	return nil
}

// eachField calls do for every field of an object, in order, and refuses a field
// that is given twice.
func eachField(value json.RawMessage, path string, do func(string, json.RawMessage) error) error {
	decoder := json.NewDecoder(bytes.NewReader(value))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return wrongKind(value, path, "an object")
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if seen[name] {
			return fmt.Errorf("field %q is given twice", join(path, name))
		}
		seen[name] = true
		var field json.RawMessage
		if err := decoder.Decode(&field); err != nil {
			return err
		}
		if err := do(name, field); err != nil {
			return err
		}
	}
	return nil
}

// fieldsOf is the type of every field of a struct, by its name in JSON.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for field := range t.Fields() {
		if name := nameInJSON(field); name != "" {
			fields[name] = field.Type
		}
	}
	return fields
}

// nameInJSON is "" for a field that is not in JSON.
func nameInJSON(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	switch {
	case name == "-" || !field.IsExported():
		return ""
	case name == "":
		return field.Name
	default:
		return name
	}
}

func wrongKind(value json.RawMessage, path, want string) error {
	if path == "" {
		return fmt.Errorf("request is %s, want %s", kindOfJSON(value), want)
	}
	return fmt.Errorf("field %q is %s, want %s", path, kindOfJSON(value), want)
}

func kindOf(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "a whole number of at most " + fmt.Sprint(t.Bits()) + " bits"
	default:
		return "another kind of value"
	}
}

func kindOfJSON(value json.RawMessage) string {
	switch bytes.TrimSpace(value)[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	default:
		return "the number " + string(value)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

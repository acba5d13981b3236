package control

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"upfront/api"
)

// object is a JSON object; encoding/json writes its keys in order, so the
// document is the same each time.
type object map[string]any

// openAPI describes every call, made from the routes and their Go types.
func openAPI() []byte {
	schemas := object{}
	paths := object{}
	for _, r := range routes() {
		path, ok := paths[r.pattern].(object)
		if !ok {
			path = object{}
			paths[r.pattern] = path
		}
		path[strings.ToLower(r.method)] = operation(r, schemas)
	}
	document, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title":       "Upfront control socket",
			"version":     "1",
			"description": "HTTP and JSON on a unix socket. Calls that wait answer with JSON lines, each an Event; the last one has a result or an error. Unknown fields in a request are errors.",
		},
		"servers":    []object{{"url": "http://proxyd"}},
		"paths":      paths,
		"components": object{"schemas": schemas},
	}, "", "  ")
	if err != nil {
		panic("BUG: encode OpenAPI document: " + err.Error())
	}
	return append(document, '\n')
}

func operation(r route, schemas object) object {
	content := "application/json"
	switch {
	case r.events:
		content = api.ContentTypeEvents
	case r.text != "":
		content = r.text
	}
	answer := object{"schema": object{"type": "string"}}
	if r.answer != nil {
		answer["schema"] = schemaOf(r.answer, schemas)
	} else if r.text == "application/json" {
		answer["schema"] = object{"type": "object"}
	}
	op := object{
		"summary": r.summary,
		"responses": object{
			"200":     object{"description": "It worked.", "content": object{content: answer}},
			"default": errorResponse(schemas),
		},
	}
	if r.request != nil {
		op["requestBody"] = object{"content": object{"application/json": object{"schema": schemaOf(r.request, schemas)}}}
	}
	if strings.Contains(r.pattern, "{name}") {
		op["parameters"] = []object{{
			"name": "name", "in": "path", "required": true,
			"description": "Name of the service.", "schema": object{"type": "string"},
		}}
	}
	return op
}

func errorResponse(schemas object) object {
	return object{
		"description": "It did not work; the code in the body says why.",
		"content":     object{"application/json": object{"schema": schemaOf(reflect.TypeFor[api.ErrorAnswer](), schemas)}},
	}
}

// schemaOf describes t; a struct is described once in schemas and referred to.
func schemaOf(t reflect.Type, schemas object) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[api.Duration]():
		return object{"type": "string", "description": "Go's duration syntax.", "examples": []string{"500ms", "30s", "2m"}}
	case reflect.TypeFor[api.Code]():
		return object{"type": "string", "enum": slices.Sorted(maps.Keys(statuses))}
	case reflect.TypeFor[api.Policy]():
		return object{"type": "string", "enum": []api.Policy{api.PolicyLeastConnections, api.PolicyRoundRobin, api.PolicyTwoChoices}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), schemas)
	case reflect.Struct:
		return structSchema(t, schemas)
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem(), schemas)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), schemas)}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer", "format": "int" + strconv.Itoa(t.Bits())}
	default:
		panic("BUG: no schema for " + t.String())
	}
}

func structSchema(t reflect.Type, schemas object) object {
	ref := object{"$ref": "#/components/schemas/" + t.Name()}
	if schemas[t.Name()] != nil {
		return ref
	}
	properties := object{}
	schema := object{"type": "object", "properties": properties}
	schemas[t.Name()] = schema // before its fields, which may refer to it
	var required []string
	for field := range t.Fields() {
		name := nameInJSON(field)
		if name == "" {
			continue
		}
		properties[name] = schemaOf(field.Type, schemas)
		if !strings.Contains(field.Tag.Get("json"), ",omit") {
			required = append(required, name)
		}
	}
	if required != nil {
		schema["required"] = required
	}
	return ref
}

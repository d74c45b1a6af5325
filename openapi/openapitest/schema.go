package openapitest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Validate says whether a value, as encoding/json decodes it into any, is what a schema describes. A schema that uses a
// word that Validate does not know is an error too.
func (c *Contract) Validate(schema, value any) error {
	s := c.resolve(schema)
	if len(s) == 0 {
		return errors.New("there is no such schema")
	}
	for word := range s {
		if !slices.Contains(words(), word) {
			return fmt.Errorf("the schema uses %q, which this check does not know", word)
		}
	}
	if options, ok := s["oneOf"].([]any); ok {
		return c.oneOf(options, value)
	}
	switch kind := s["type"]; kind {
	case "object":
		return c.object(s, value)
	case "array":
		return c.array(s, value)
	case "string":
		return text(s, value)
	case "integer":
		return integer(s, value)
	case "boolean":
		if _, ok := value.(bool); !ok {
			return errors.New("is not a boolean")
		}
		return nil
	default:
		return fmt.Errorf("the schema's type %v is not one that this check knows", kind)
	}
}

// words are those of JSON Schema that Validate understands, or that say nothing about a value.
func words() []string {
	return []string{"type", "description", "example", "default", "required", "properties", "additionalProperties",
		"items",
		"pattern", "enum", "format", "minimum", "maximum", "minLength", "maxLength", "oneOf",
		"x-enum-varnames", "x-go-type"} // of the generated code
}

func (c *Contract) oneOf(options []any, value any) error {
	fits := 0
	var all error
	for _, option := range options {
		if err := c.Validate(option, value); err != nil {
			all = errors.Join(all, err)
			continue
		}
		fits++
	}
	if fits != 1 {
		return errors.Join(fmt.Errorf("fits %d of %d choices", fits, len(options)), all)
	}
	return nil
}

func (c *Contract) object(s map[string]any, value any) error {
	fields, ok := value.(map[string]any)
	if !ok {
		return errors.New("is not an object")
	}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, ok := fields[name.(string)]; !ok {
			return fmt.Errorf("has no %v", name)
		}
	}
	for name, field := range fields {
		schema, ok := object(s["properties"])[name]
		if !ok {
			schema, ok = s["additionalProperties"]
			if schema == true {
				continue
			}
		}
		if !ok {
			return fmt.Errorf("has a field %s, which is not in the contract", name)
		}
		if err := c.Validate(schema, field); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (c *Contract) array(s map[string]any, value any) error {
	list, ok := value.([]any)
	if !ok {
		return errors.New("is not an array")
	}
	for i, element := range list {
		if err := c.Validate(s["items"], element); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return nil
}

func text(s map[string]any, value any) error {
	str, ok := value.(string)
	if !ok {
		return errors.New("is not a string")
	}
	if pattern, ok := s["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(str) {
		return fmt.Errorf("does not match %s", pattern)
	}
	if choices, ok := s["enum"].([]any); ok && !slices.Contains(choices, value) {
		return fmt.Errorf("is none of %v", choices)
	}
	if s["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339, str); err != nil {
			return fmt.Errorf("is not a time: %w", err)
		}
	}
	return nil
}

func integer(s map[string]any, value any) error {
	n, ok := value.(float64)
	if !ok || n != float64(int64(n)) {
		return errors.New("is not an integer")
	}
	if least, ok := bound(s["minimum"]); ok && n < least {
		return errors.New("is below the minimum")
	}
	if most, ok := bound(s["maximum"]); ok && n > most {
		return errors.New("is above the maximum")
	}
	return nil
}

// bound is a number as the YAML parser gives it.
func bound(v any) (float64, bool) {
	switch n := v.(type) {
	case uint64:
		return float64(n), true
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

package main

// optional is a pointer to s, as the API has it, or nil when s is empty.
func optional[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

// text is the string that s points to, or "".
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

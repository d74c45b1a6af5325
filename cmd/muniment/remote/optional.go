package remote

// Optional is a pointer to s, as the API has it, or nil when s is empty.
func Optional[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

// Text is the string that s points to, or "".
func Text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

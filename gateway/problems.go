package gateway

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"muniment/gateway/problem"
)

// explain tells what a problem's type means.
func (s *Server) explain(r *request) error {
	for _, kind := range problem.Kinds() {
		if kind.Code == r.Param("code") {
			return r.publish(kind.JSON())
		}
	}
	return problem.New(problem.NotFound, "")
}

// routed makes problems of Echo's own errors: no route fits the request.
func routed(err error) error {
	if routing := new(echo.HTTPError); errors.As(err, &routing) {
		switch routing.Code {
		case http.StatusNotFound:
			return problem.New(problem.NoSuchRoute, "")
		case http.StatusMethodNotAllowed:
			return problem.New(problem.MethodNotAllowed, "")
		}
	}
	return err
}

// sendProblem answers with a problem.
func sendProblem(c echo.Context, id string, p *problem.Problem) error {
	h := c.Response().Header()
	for key, values := range p.Header {
		h[key] = values
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="muniment"`)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	h.Set("Cache-Control", "no-store")
	return sendJSON(c, p.Status, "application/problem+json", p.JSON(id))
}

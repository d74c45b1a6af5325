package samples

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// The colors of a plan, by their index in its palette.
const (
	white = iota
	ink
	red
	ground
)

// letters are those of the mark, five columns by seven rows, a bit for each pixel.
func letters() map[rune][7]byte {
	return map[rune][7]byte{
		'S': {0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110},
		'Y': {0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100, 0b00100},
		'N': {0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001, 0b10001},
		'T': {0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100},
		'H': {0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001},
		'E': {0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111},
		'I': {0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b11111},
		'C': {0b01111, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b01111},
	}
}

// sitePlan is a drawing of a plot with a building on it, in PNG.
func sitePlan(c *matter) (Document, error) {
	img := image.NewPaletted(image.Rect(0, 0, 420, 300), color.Palette{
		white:  color.RGBA{0xff, 0xff, 0xff, 0xff},
		ink:    color.RGBA{0x20, 0x30, 0x50, 0xff},
		red:    color.RGBA{0xb0, 0x20, 0x20, 0xff},
		ground: color.RGBA{0xd8, 0xe6, 0xd0, 0xff},
	})
	fillRect(img, image.Rect(30, 60, 390, 280), ground)
	frame(img, image.Rect(30, 60, 390, 280))
	w, h := 80+len(c.subject)*3, 60+len(c.person.street)*2
	frame(img, image.Rect(60, 90, 60+w, 90+h))
	frame(img, image.Rect(60+w, 90+h/2, 60+w+40, 90+h))
	write(img, "SYNTHETIC", image.Pt(30, 20), 3)

	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return Document{}, fmt.Errorf("drawing a plan: %w", err)
	}
	return Document{
		Name: c.number + "-plan.png", Title: "Site plan: " + c.subject, MediaType: "image/png", Content: out.Bytes(),
	}, nil
}

func fillRect(img *image.Paletted, r image.Rectangle, with uint8) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			img.SetColorIndex(x, y, with)
		}
	}
}

func frame(img *image.Paletted, r image.Rectangle) {
	fillRect(img, image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+2), ink)
	fillRect(img, image.Rect(r.Min.X, r.Max.Y-2, r.Max.X, r.Max.Y), ink)
	fillRect(img, image.Rect(r.Min.X, r.Min.Y, r.Min.X+2, r.Max.Y), ink)
	fillRect(img, image.Rect(r.Max.X-2, r.Min.Y, r.Max.X, r.Max.Y), ink)
}

// write draws a word in letters of the given scale.
func write(img *image.Paletted, word string, at image.Point, scale int) {
	glyphs := letters()
	for _, letter := range word {
		for row, bits := range glyphs[letter] {
			for column := range 5 {
				if bits>>(4-column)&1 == 1 {
					corner := at.Add(image.Pt(column*scale, row*scale))
					fillRect(img, image.Rectangle{Min: corner, Max: corner.Add(image.Pt(scale, scale))}, red)
				}
			}
		}
		at.X += 6 * scale
	}
}

package samples

import "time"

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

// cases are the agency's matters; each brings several papers.
func cases() []matter {
	return []matter{
		{
			number: "BP-2026-0117", opened: day(2026, 1, 12), subject: "Building permit, two-storey garage",
			person:  person{"Avery", "Quill", "000-12-3401", "(202) 555-0101", "14 Nowhere Lane, Sampleton"},
			company: company{"Plumbline Builders LLC", "00-1234501", "plumbline.example"},
			amount:  48_250,
			papers:  []paper{application, permit, sitePlan, invoice, correspondence},
		},
		{
			number: "BP-2026-0131", opened: day(2026, 2, 3), subject: "Building permit, roof solar array",
			person:  person{"Blake", "Tansy", "000-45-8802", "(202) 555-0112", "7 Imaginary Row, Sampleton"},
			company: company{"Helio Sample Works Inc", "00-1234502", "heliosample.example"},
			amount:  31_900,
			papers:  []paper{application, permit, sitePlan, inspection, decision},
		},
		{
			number: "PR-2026-0044", opened: day(2026, 2, 17), subject: "Purchase of road salt, 400 t",
			person:  person{"Casey", "Fenn", "900-00-1203", "(202) 555-0123", "220 Example Avenue, Sampleton"},
			company: company{"Brine & Daughters Co", "00-1234503", "brine.example"},
			amount:  3_720_000,
			papers:  []paper{purchaseOrder, electronicInvoice, payments, correspondence},
		},
		{
			number: "PR-2026-0052", opened: day(2026, 3, 9), subject: "Purchase of radio handsets",
			person:  person{"Drew", "Marl", "912-00-7704", "(202) 555-0134", "3 Placeholder Court, Sampleton"},
			company: company{"Fictive Radio Supply LLC", "00-1234504", "fictiveradio.example"},
			amount:  1_184_500,
			papers:  []paper{purchaseOrder, electronicInvoice, invoice, minutes},
		},
		{
			number: "GR-2026-0009", opened: day(2026, 3, 23), subject: "Grant for flood-plain mapping",
			person:  person{"Ellis", "Rowan", "000-73-2205", "(202) 555-0145", "91 Invented Street, Sampleton"},
			company: company{"Made-Up Hydrology Group", "00-1234505", "madeuphydro.example"},
			amount:  9_500_000,
			papers:  []paper{application, decision, parcel, readings, payments},
		},
		{
			number: "IN-2026-0208", opened: day(2026, 4, 14), subject: "Food premises inspection",
			person:  person{"Flynn", "Osier", "987-00-0106", "(202) 555-0156", "58 Pretend Road, Sampleton"},
			company: company{"The Unreal Spoon", "00-1234506", "unrealspoon.example"},
			amount:  12_000,
			papers:  []paper{inspection, notice, correspondence, invoice},
		},
		{
			number: "FI-2026-0031", opened: day(2026, 5, 5), subject: "Request under the Freedom of Information Act",
			person:  person{"Gray", "Alder", "000-38-9107", "(202) 555-0167", "6 Fabricated Way, Sampleton"},
			company: company{"Sampleton Phantom Gazette", "00-1234507", "phantomgazette.example"},
			amount:  2_500,
			papers:  []paper{correspondence, decision, minutes},
		},
		{
			number: "LT-2026-0003", opened: day(2026, 6, 1), subject: "Transfer of a parcel of land",
			person:  person{"Harper", "Sedge", "933-00-4408", "(202) 555-0178", "1 Fictional Square, Sampleton"},
			company: company{"Nonesuch Title Company", "00-1234508", "nonesuch.example"},
			amount:  21_500_000,
			papers:  []paper{application, parcel, permit, sitePlan, notice},
		},
		{
			number: "WQ-2026-0016", opened: day(2026, 7, 20), subject: "Water quality, Sample Creek",
			person:  person{"Indigo", "Vetch", "000-56-1209", "(202) 555-0189", "33 Hypothetical Drive, Sampleton"},
			company: company{"Clearly Simulated Labs", "00-1234509", "clearlysimulated.example"},
			amount:  640_000,
			papers:  []paper{readings, inspection, purchaseOrder, electronicInvoice, minutes, notice},
		},
	}
}

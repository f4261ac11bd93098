"""Ten colours for ten digits, on white."""

# Found by search: any two are 30 apart in CIELAB, also as protanopes, deuteranopes and tritanopes see them (Machado et
# al., 2009), where Petroff's ten (2021) come as near as 17. A test measures it. Markers, or the digits
# themselves, always repeat what a colour says.
COLOURS = ["#0000fc", "#fc9000", "#006c6c", "#fc00fc", "#90b46c", "#480000", "#d890d8", "#b40000", "#000024", "#6c2490"]

"""The colours of pictures: those of templates/page.css."""

ACCENT, BAND, INK, MUTED, GRID = "#b23a1e", "#e9b7a6", "#1d2126", "#5b636b", "#dfe2e5"

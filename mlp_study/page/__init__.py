"""study.html: a study as one page that opens offline, from run directories alone; it draws with BokehJS."""

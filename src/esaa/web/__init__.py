"""The time machine as a web server: JSON, one stream of events, and the page. No rules live here."""

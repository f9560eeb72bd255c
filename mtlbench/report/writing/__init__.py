"""How parts of the report look: HTML, LaTeX, Markdown and figures."""

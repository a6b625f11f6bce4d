"""Reports: questions that people ask again and again, and the form of every answer."""

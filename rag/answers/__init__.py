"""From selected passages to what a user reads: prompt, sentences, citations, whether they answer."""

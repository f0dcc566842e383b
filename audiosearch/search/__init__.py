"""The engine: it turns the terms of a query into ranked hits. Calls go one way, down.

`engine` composes the query's vector (`query`, `composition`, `text_vectors`), takes the nearest
windows from `audiosearch.vectors`, and makes hits of them (`ranking`, `sample`). `words` and
`fusion` add the words that people wrote. `classification` scores sounds against labels. Scores are
cosines; times are in seconds.
"""

"""The engine room: from the terms of a query to ranked hits, one way down.

`engine` composes the query's vector (`query`, `composition`, `text_vectors`), asks
`audiosearch.vectors` for the nearest windows, and makes hits of them (`ranking`, `sample`).
`classification` scores sounds against labels. Scores are cosines; times are in seconds.
"""

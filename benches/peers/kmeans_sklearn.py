"""What scikit-learn makes of the points that the example `kmeans` leaves: python kmeans_sklearn.py kmeans_embeddings.csv

The least inertia of as many starts as there: of whole rounds, and of rounds over batches. Needs numpy and scikit-learn.
"""

import sys

import numpy
from sklearn.cluster import KMeans, MiniBatchKMeans

points = numpy.loadtxt(sys.argv[1], delimiter=",")
whole = KMeans(10, n_init=20, random_state=0, tol=0, max_iter=300).fit(points).inertia_
parts = [MiniBatchKMeans(10, n_init=1, random_state=seed, batch_size=250, max_iter=10, max_no_improvement=None).fit(points).inertia_ for seed in range(20)]
print(f"{len(points)} points, 10 clusters: inertia {whole:.2f}, and {min(parts):.2f} by batches of 250")

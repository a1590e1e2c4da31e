/* Coincidences between two lists of arrival times: every pair is counted, not only the first that follows.

   The same sums as the NumPy code in pairs.py, which calls them through ctypes. Times are whole picoseconds in ascending order. */

#include <stdint.h>

int pairs_version(void) { return 1; }

/* Adds one to counts[(b[j] - a[i] - low) / width] for every pair with low <= b[j] - a[i] < low + bins * width.
   own: place in b of a[0] where both are the same list, so that no photon is paired with itself; -1 where they are not.
   The window moves on through b with a; pairs that lie in it are the only inner work. */
void pairs_count(const int64_t *a, int64_t na, const int64_t *b, int64_t nb, int64_t own, int64_t low, int64_t width, int64_t bins, int64_t *counts)
{
    const int64_t span = width * bins;
    const int is_short = span <= INT64_C(0xffffffff); /* division of 32 bits is several times faster */
    int64_t first = 0;
    for (int64_t i = 0; i < na; i++) {
        const int64_t from = a[i] + low, to = from + span, self = own < 0 ? -1 : own + i;
        while (first < nb && b[first] < from)
            first++;
        if (is_short)
            for (int64_t j = first; j < nb && b[j] < to; j++)
                counts[(uint32_t)(b[j] - from) / (uint32_t)width] += j != self;
        else
            for (int64_t j = first; j < nb && b[j] < to; j++)
                counts[(uint64_t)(b[j] - from) / (uint64_t)width] += j != self;
    }
}

/* The same for triples: counts[x * bins + y] with x of b[j] - a[i] and y of c[k] - a[i]. own_b, own_c: as own above.
   same: b and c are one list, of which no photon is taken twice. */
void pairs_count_three(const int64_t *a, int64_t na, const int64_t *b, int64_t nb, const int64_t *c, int64_t nc, int64_t own_b, int64_t own_c, int same,
                       int64_t low, int64_t width, int64_t bins, int64_t *counts)
{
    const int64_t span = width * bins;
    int64_t first_b = 0, first_c = 0;
    for (int64_t i = 0; i < na; i++) {
        const int64_t from = a[i] + low, to = from + span, self_b = own_b < 0 ? -1 : own_b + i, self_c = own_c < 0 ? -1 : own_c + i;
        while (first_b < nb && b[first_b] < from)
            first_b++;
        while (first_c < nc && c[first_c] < from)
            first_c++;
        for (int64_t j = first_b; j < nb && b[j] < to; j++) {
            int64_t *row = counts + (b[j] - from) / width * bins;
            if (j == self_b)
                continue;
            for (int64_t k = first_c; k < nc && c[k] < to; k++)
                row[(c[k] - from) / width] += k != self_c && !(same && k == j);
        }
    }
}

/* The times of one channel, in order; returns how many. kept has room for n; its end is scratch. */
int64_t pairs_pick(const int64_t *time, const int16_t *channel, int64_t n, int16_t wanted, int64_t *kept)
{
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++) {
        kept[k] = time[i];
        k += channel[i] == wanted;
    }
    return k;
}

/* dx/dt = (A + sum_t e_t(t) M_t) x + sum_a (G_a + sum_t e_t(t) G_at) x N_a by Taylor series, with x of d rows and w = n m columns.
 *
 * The compiled twin of `_steps` in driven.py: the same steps, the same sums. No state, no allocation, no library but libm.
 * Matrices are compressed rows over (1 + terms) d columns, side by side: constant part first, then what each envelope multiplies.
 * N_a (m, m) advances the register of m states within each of the n vectors. e_t are polynomials on pieces, in the fraction of the piece.
 */
#include <math.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

typedef long long whole;
enum { WIDTH = 4 };

WIDE static void multiply(whole rows, const int *start, const int *column, const double *value, whole w, const double *x, double *y)
{
    for (whole i = 0; i < rows; i++) {
        whole low = 0;
        for (; low + WIDTH <= w; low += WIDTH) { /* a few columns at a time, their sums in registers */
            double sum[WIDTH] = {0.0};
            for (int j = start[i]; j < start[i + 1]; j++) {
                const double v = value[j], *in = x + (whole)column[j] * w + low;
                for (int k = 0; k < WIDTH; k++) sum[k] += v * in[k];
            }
            for (int k = 0; k < WIDTH; k++) y[i * w + low + k] = sum[k];
        }
        for (; low < w; low++) {
            double sum = 0.0;
            for (int j = start[i]; j < start[i + 1]; j++) sum += value[j] * x[(whole)column[j] * w + low];
            y[i * w + low] = sum;
        }
    }
}

/* mixed = sum_i e_i series[-i], block by block so that the sum stays near */
WIDE static void mix(whole size, whole count, const double *e, const double *series, double *mixed)
{
    enum { BLOCK = 512 };
    for (whole low = 0; low < size; low += BLOCK) {
        const whole high = low + BLOCK < size ? low + BLOCK : size;
        whole i = 1;
        for (whole q = low; q < high; q++) mixed[q] = e[0] * series[q];
        for (; i + 3 < count; i += 4) {
            const double *x = series - i * size, *y = x - size, *z = y - size, *u = z - size;
            for (whole q = low; q < high; q++) mixed[q] = (((mixed[q] + e[i] * x[q]) + e[i + 1] * y[q]) + e[i + 2] * z[q]) + e[i + 3] * u[q];
        }
        for (; i < count; i++) {
            const double v = e[i], *x = series - i * size;
            for (whole q = low; q < high; q++) mixed[q] += v * x[q];
        }
    }
}

WIDE static void advance(whole rows, whole n, whole m, const double *next, const double *gained, double *y)
{
    for (whole from = 0; from < m; from++)
        for (whole to = 0; to < m; to++) {
            const double v = next[from * m + to];
            if (v == 0.0) continue;
            for (whole i = 0; i < rows * n; i++) y[i * m + to] += v * gained[i * m + from];
        }
}

/* total += term *= factor; returns the largest |term| */
WIDE static double gather(whole size, double factor, double *restrict term, double *restrict total)
{
    double most[WIDTH] = {0.0};
    whole i = 0;
    for (; i + WIDTH <= size; i += WIDTH)
        for (int k = 0; k < WIDTH; k++) {
            const double t = factor * term[i + k], a = fabs(t);
            term[i + k] = t;
            total[i + k] += t;
            most[k] = a > most[k] ? a : most[k];
        }
    for (; i < size; i++) {
        term[i] *= factor;
        total[i] += term[i];
        most[0] = fabs(term[i]) > most[0] ? fabs(term[i]) : most[0];
    }
    for (int k = 1; k < WIDTH; k++) most[0] = most[k] > most[0] ? most[k] : most[0];
    return most[0];
}

/* The same for sums of positive terms. is_small: no term adds to its own sum any more, sums below `least` apart; living: sums that are not zero. */
WIDE static double gather_positive(whole size, double factor, double negligible, double least, double *restrict term, double *restrict total,
                                   int *is_small, whole *living)
{
    double most = 0.0;
    whole adding = 0, alive = 0;
    for (whole i = 0; i < size; i++) {
        const double t = factor * term[i], a = fabs(t), s = total[i] + t;
        term[i] = t;
        total[i] = s;
        most = a > most ? a : most;
        adding += a > negligible * (s > least ? s : least);
        alive += s > least;
    }
    *is_small = adding == 0;
    *living = alive;
    return most;
}

/* largest |x| of each column */
static void extremes(whole rows, whole w, const double *x, double *found)
{
    for (whole k = 0; k < w; k++) found[k] = 0.0;
    for (whole i = 0; i < rows; i++)
        for (whole k = 0; k < w; k++) found[k] = fabs(x[i * w + k]) > found[k] ? fabs(x[i * w + k]) : found[k];
}

static double largest(whole n, const double *x)
{
    double found = 0.0;
    for (whole i = 0; i < n; i++) found = x[i] > found ? x[i] : found;
    return found;
}

/* Raised with every change of the arguments, so that a library left over from another version is not called. */
whole taylor_version(void) { return 4; }

/* Returns the number of steps taken, or -1 where `limit` does not suffice. sizes: d, n, m, terms, axes, pieces, degree + 1, order, limit, positive (1: every sum
 * is of positive terms; 2: all but what advances the register; 0: others).
 * settings: reach, negligible, growth, least. work: (order + 1 + 1 + terms + axes + 1) d w + 4 w + terms (degree + 1). */
whole taylor_through(const whole *sizes, const double *settings, const int *start, const int *column, const double *value, const int *gain_start,
                     const int *gain_column, const double *gain_value, const double *next, const double *lengths, const double *polynomials,
                     const double *norms, const double *decay, const double *kept, const double *weight, double *x, double *work)
{
    const whole d = sizes[0], n = sizes[1], m = sizes[2], terms = sizes[3], axes = sizes[4], pieces = sizes[5], c1 = sizes[6], order = sizes[7];
    const whole limit = sizes[8], positive = sizes[9], entrywise = positive == 1, w = n * m, size = d * w;
    const double reach = settings[0], negligible = settings[1], growth = settings[2];
    double *series = work, *mixed = series + (order + 1) * size, *gained = mixed + (1 + terms) * size, *total = gained + axes * size;
    double *of_term = total + size, *of_total = of_term + w, *of_start = of_total + w, *before = of_start + w, *e = before + w;
    whole taken = 0;
    double wished = INFINITY; /* step in ns that the last one suggests */
    for (whole p = 0; p < pieces; p++) {
        const double length = lengths[p], *c = polynomials + p * terms * c1;
        double at = 0.0;
        while (at < 1.0) {
            double norm = norms[0];
            for (whole t = 0; t < terms; t++) {
                double sum = 0.0;
                for (whole k = 0; k < c1; k++) sum += fabs(c[t * c1 + k]);
                norm += sum * norms[1 + t];
            }
            double longest = norm > 0.0 ? reach / norm : INFINITY;
            if (wished < longest) longest = wished;
            const double left = 1.0 - at, count = ceil(left * length / longest * (1.0 - 1e-12));
            double h = count > 1.0 ? left / count : left;
            if (count > (double)(limit - taken)) return -1;
            /* the envelopes in the fraction of this step */
            double power = 1.0;
            whole deepest = 0;
            for (whole k = 0; k < c1; k++) {
                for (whole t = 0; t < terms; t++) {
                    double sum = 0.0, shifted = 1.0, choose = 1.0;
                    for (whole j = k; j < c1; j++) {
                        sum += choose * shifted * c[t * c1 + j];
                        shifted *= at;
                        choose = choose * (double)(j + 1) / (double)(j + 1 - k);
                    }
                    e[t * c1 + k] = sum * power;
                }
                power *= h;
            }
            double top = 0.0;
            for (whole t = 0; t < terms; t++) top = fmax(top, largest(1, &norms[1 + t]) * fabs(e[t * c1]));
            for (whole k = 0; k < c1; k++)
                for (whole t = 0; t < terms; t++)
                    if (fabs(e[t * c1 + k]) * norms[1 + t] > 1e-18 * top) deepest = k;
            const double step = h * length;
            memcpy(series, x, (size_t)size * sizeof(double));
            memcpy(total, x, (size_t)size * sizeof(double));
            extremes(d, w, x, of_start);
            const double from = largest(w, of_start);
            double grown = 0.0;
            whole used = 0;
            int is_small = 0, is_done = 0;
            whole living = -1, settled = 0; /* how many orders ago a further entry was reached */
            for (whole k = 0; k < order && !is_done; k++) {
                memcpy(mixed, series + k * size, (size_t)size * sizeof(double));
                for (whole t = 0; t < terms; t++)
                    mix(size, (k < deepest ? k : deepest) + 1, e + t * c1, series + k * size, mixed + (1 + t) * size);
                double *term = series + (k + 1) * size;
                multiply(d, start, column, value, w, mixed, term);
                for (whole a = 0; a < axes; a++) {
                    multiply(d, gain_start + a * (d + 1), gain_column, gain_value, w, mixed, gained);
                    advance(d, n, m, next + a * m * m, gained, term);
                }
                const double factor = step / (double)(k + 1);
                double biggest;
                int now = 0;
                used = k + 1;
                if (entrywise) {
                    whole alive;
                    biggest = gather_positive(size, factor, negligible, settings[3] * from, term, total, &now, &alive);
                    settled = alive == living ? settled + 1 : 0;
                    living = alive;
                    now = now && settled >= 6;
                } else
                    biggest = gather(size, factor, term, total);
                if (!(biggest < 1e300)) return -2;
                if (from > 0.0 && biggest / from > grown) grown = biggest / from;
                if (!entrywise && (biggest <= negligible * growth * from || from == 0.0)) { /* only then can it be the end */
                    extremes(d, w, total, of_total);
                    extremes(d, w, term, of_term);
                    const double all = largest(w, of_total);
                    now = biggest <= negligible * all;
                    for (whole q = 0; q < w; q++) now = now && of_term[q] <= negligible * fmax(of_total[q], settings[3] * all);
                }
                is_done = now && is_small && k > 8;
                is_small = now;
            }
            if (!is_done || (!positive && grown > growth)) { /* too long for what x holds */
                wished = 0.5 * step;
                taken++;
                if (taken >= limit) return -1;
                continue;
            }
            if (positive) {
                double fall = decay[0];
                for (whole t = 0; t < terms; t++) {
                    double mean = 0.0;
                    for (whole k = 0; k < c1; k++) mean += e[t * c1 + k] / (double)(k + 1);
                    fall += decay[1 + t] * mean;
                }
                const double factor = exp(-fall * step);
                for (whole v = 0; v < n; v++) before[v] = of_start[v] = 0.0;
                for (whole i = 0; i < d; i++)
                    for (whole v = 0; v < n; v++)
                        for (whole q = 0; q < m; q++) {
                            const double share = kept[i] * weight[q];
                            before[v] += share * x[i * w + v * m + q];
                            of_start[v] += share * total[i * w + v * m + q];
                        }
                for (whole v = 0; v < n; v++) before[v] = before[v] > 0.0 && of_start[v] > 0.0 ? before[v] / of_start[v] : factor;
                for (whole i = 0; i < d; i++)
                    for (whole v = 0; v < n; v++)
                        for (whole q = 0; q < m; q++) x[i * w + v * m + q] = total[i * w + v * m + q] * before[v];
            } else
                memcpy(x, total, (size_t)size * sizeof(double));
            taken++;
            at = count > 1.0 ? at + h : 1.0;
            if (positive) {
                wished = INFINITY;
            } else {
                const int easy = used < 26 && grown < 0.1 * growth;
                const double next = step * (easy ? 1.5 : used > 40 || grown > 0.5 * growth ? 0.75 : 1.0);
                /* a step that only the end of its piece kept short says nothing about the next one */
                if (!easy || count > 1.0 || wished < next) wished = next;
            }
        }
    }
    return taken;
}

/* e^{A h 2^k}, k = 0 .. levels - 1, of a stack of matrices by series and squaring, as `Exponential.square` does.
 * sizes: stack, d, levels, terms. matrix: (stack, d, d) with the shift on its diagonal; fall: (stack) exponent of one step; kept: (d), 1 where a
 * column is brought back to its sum over the rows with kept = 1, or all 0. squares: (levels, stack, d, d). d is at most 64. */
void squares_of(const whole *sizes, const double *matrix, const double *step, const double *fall, const double *kept, double *squares)
{
    const whole stack = sizes[0], d = sizes[1], levels = sizes[2], terms = sizes[3], size = d * d;
    double term[64 * 64], next[64 * 64];
    for (whole b = 0; b < stack && levels > 0; b++) {
        const double *a = matrix + b * size;
        double *e = squares + b * size;
        for (whole i = 0; i < size; i++) e[i] = term[i] = i % (d + 1) == 0 ? 1.0 : 0.0;
        for (whole k = 1; k < terms; k++) {
            for (whole p = 0; p < d; p++)
                for (whole q = 0; q < d; q++) {
                    double sum = 0.0;
                    for (whole r = 0; r < d; r++) sum += term[p * d + r] * a[r * d + q];
                    next[p * d + q] = sum * (*step / (double)k);
                }
            memcpy(term, next, (size_t)size * sizeof(double));
            for (whole i = 0; i < size; i++) e[i] += term[i];
        }
        const double factor = exp(-fall[b]);
        for (whole i = 0; i < size; i++) e[i] *= factor;
        for (whole k = 0; k < levels; k++) {
            double *now = squares + (k * stack + b) * size;
            if (k > 0) {
                const double *half = squares + ((k - 1) * stack + b) * size;
                for (whole p = 0; p < d; p++)
                    for (whole q = 0; q < d; q++) {
                        double sum = 0.0;
                        for (whole r = 0; r < d; r++) sum += half[p * d + r] * half[r * d + q];
                        now[p * d + q] = sum;
                    }
            }
            for (whole q = 0; q < d; q++) {
                double sum = 0.0;
                for (whole p = 0; p < d; p++) sum += kept[p] * now[p * d + q];
                if (kept[q] == 1.0)
                    for (whole p = 0; p < d; p++) now[p * d + q] /= sum;
            }
        }
    }
}

/* One stack of `squares_along`; with d known to the compiler the loops over it unroll. */
static inline __attribute__((always_inline)) void follow(const whole d, const whole *sizes, const double *terms, const double *squares,
                                                         const double *fall, const double *steps, const double *rows, double *found)
{
    const whole stack = sizes[0], times = sizes[2], levels = sizes[3], order = sizes[4], count = sizes[5];
    double x[64], y[64];
    for (whole b = 0; b < stack; b++)
        for (whole i = 0; i < times; i++) {
            const double done = floor(steps[i]), part = steps[i] - done, factor = exp(-fall[b] * part);
            double left = done;
            unsigned long long bits = levels <= 62 ? (unsigned long long)done : 0;
            for (whole q = 0; q < d; q++) x[q] = terms[(b * order + order - 1) * d + q];
            for (whole k = order - 2; k >= 0; k--) {
                const double *c = terms + (b * order + k) * d;
                for (whole q = 0; q < d; q++) x[q] = x[q] * part + c[q];
            }
            for (whole q = 0; q < d; q++) x[q] *= factor;
            for (whole k = 0; k < levels; k++) {
                int is_odd = (int)(bits & 1);
                bits >>= 1;
                if (levels > 62) {
                    const double half = floor(left * 0.5);
                    is_odd = left != 2.0 * half;
                    left = half;
                }
                if (!is_odd) continue;
                const double *e = squares + (k * stack + b) * d * d;
                for (whole p = 0; p < d; p++) {
                    double sum = 0.0;
                    for (whole q = 0; q < d; q++) sum += e[p * d + q] * x[q];
                    y[p] = sum;
                }
                for (whole p = 0; p < d; p++) x[p] = y[p];
            }
            for (whole r = 0; r < count; r++) {
                double sum = 0.0;
                for (whole q = 0; q < d; q++) sum += rows[(b * count + r) * d + q] * x[q];
                found[(b * count + r) * times + i] = sum;
            }
        }
}

/* rows e^{A t_i} y for a stack of matrices, from the series of an elementary step and the squares of its exponential.
 * sizes: stack, d, times, squares, terms, rows. terms: (stack, terms, d); squares: (squares, stack, d, d); fall: (stack) exponent of one step;
 * steps: (times) number of steps; rows: (stack, rows, d); found: (stack, rows, times). d is at most 64. */
void squares_along(const whole *sizes, const double *terms, const double *squares, const double *fall, const double *steps, const double *rows,
                   double *found)
{
#define OF(n) case n: follow(n, sizes, terms, squares, fall, steps, rows, found); break;
    switch (sizes[1]) {
        OF(1) OF(2) OF(3) OF(4) OF(5) OF(6) OF(7) OF(8)
        default: follow(sizes[1], sizes, terms, squares, fall, steps, rows, found);
    }
#undef OF
}

/* Streams of events, one after another, without a time step.
 *
 * chain_walk: a Markov chain whose rates repeat with a period (the compiled twin of `_walk` in chain.py).
 * trajectory_follow: a wave function between quantum jumps (of `_follow` in trajectory.py).
 * detector_register: dead time and false counts (of `_register` in detecting.py).
 * The same draws and the same sums as there. All randomness comes in as arrays; nothing is allocated; no library but libm.
 */
#include <math.h>
#include <string.h>

typedef long long whole;
static const double CLOSE = 1e-9; /* as a fraction of a segment or leaf */

/* Raised with every change of the arguments, so that a library left over from another version is not called. */
whole events_version(void) { return 3; }

static double within(double x, double high) { return x < 0.0 ? 0.0 : x > high ? high : x; }

/* the largest whole number that is not above x */
static whole down(double x)
{
    const whole t = (whole)x;
    return t - ((double)t > x);
}

static double horner(int degree, const double *c, double u)
{
    double sum = 0.0;
    for (int k = degree; k >= 0; k--) sum = sum * u + c[k];
    return sum;
}

/* -------------------------------------------------------------------------------------------------------------- chain */

typedef struct {
    whole states, segments, terms, width; /* width: coefficients kept for each envelope */
    const int *group, *degree;            /* of each segment; degree -1: constant */
    const double *begin_ps, *length_ps, *scale;
    const double *envelope, *integral; /* (segments, terms, width) lowest power first */
    const double *level;               /* (states, segments + 1) hazard since the start of the period, at the start of each segment */
    whole guides;
    const int *guide;                  /* (states, guides) a segment not behind the one where the hazard is that fraction of the period's */
    const double *leave;               /* (groups, states, 1 + terms) total rate out of a state */
    const double *once, *stay;         /* (states) one over the hazard of a period; (groups, states) one over the constant rate out of a state */
    const int *first;                  /* (groups * states + 1) where the moves out of a state begin */
    const int *to, *seen;              /* of each move: next state, and detector or -1 */
    const double *rate;                /* (moves, 1 + terms) */
    const double *start;               /* (states) cumulated probabilities of the start of a shot */
    whole resets;                      /* 1: every period begins anew, from the start */
    whole period_ps;
    double period_fraction_ps;
} Chain;

/* hazard of a state from the start of a segment to the fraction u of it */
static double climbed(const Chain *c, whole s, whole state, double u)
{
    const double *leave = c->leave + (c->group[s] * c->states + state) * (1 + c->terms);
    double sum = leave[0] * u;
    if (c->degree[s] >= 0)
        for (whole t = 0; t < c->terms; t++) sum += leave[1 + t] * u * horner(c->degree[s], c->integral + (s * c->terms + t) * c->width, u);
    return sum * c->scale[s];
}

/* the rates of one state at the fraction u of a segment, by what the envelopes are there */
static double slope(const Chain *c, whole s, const double *row, const double *e)
{
    double sum = row[0];
    if (c->degree[s] >= 0)
        for (whole t = 0; t < c->terms; t++) sum += row[1 + t] * e[t];
    return sum;
}

static void envelopes(const Chain *c, whole s, double u, double *e)
{
    if (c->degree[s] < 0) return;
    for (whole t = 0; t < c->terms; t++) {
        e[t] = horner(c->degree[s], c->envelope + (s * c->terms + t) * c->width, u);
        if (e[t] < 0.0) e[t] = 0.0;
    }
}

/* where in a segment the hazard reaches `rest`: Newton's steps, halved where they leave the bracket */
static double inverse(const Chain *c, whole s, whole state, double rest, double *e)
{
    const double *leave = c->leave + (c->group[s] * c->states + state) * (1 + c->terms);
    if (c->degree[s] < 0) {
        const double u = rest * c->stay[c->group[s] * c->states + state] / c->scale[s];
        return u < 1.0 ? u : 1.0;
    }
    double low = 0.0, high = 1.0, u = rest / (c->level[state * (c->segments + 1) + s + 1] - c->level[state * (c->segments + 1) + s]);
    for (int i = 0; i < 100; i++) {
        if (!(u > low && u < high)) u = 0.5 * (low + high);
        const double miss = climbed(c, s, state, u) - rest;
        if (miss > 0.0) high = u;
        else low = u;
        envelopes(c, s, u, e);
        const double rise = slope(c, s, leave, e) * c->scale[s], step = rise > 0.0 ? -miss / rise : -2.0;
        if (fabs(step) <= CLOSE) return within(u + step, 1.0); /* the next step would be its square */
        if (high - low <= 1e-16) break;
        u += step;
    }
    return u;
}

static whole drawn(whole n, const double *cumulated, double uniform)
{
    whole i = 0;
    while (i < n - 1 && uniform >= cumulated[i]) i++;
    return i;
}

/* Follows the chain while draws last. at: period, segment, state, 1 once the end is reached; u: fraction of the segment. Returns the photons written. */
whole chain_walk(const Chain *c, whole draws, const double *exponential, const double *uniform, whole end_ps, whole last, whole *at, double *place,
                 double *e, whole *time_ps, int *seen)
{
    whole period = at[0], s = at[1], state = at[2], found = 0;
    double u = *place;
    const whole width = 1 + c->terms;
    for (whole i = 0; i < draws && !at[3]; i++) {
        const double *level = c->level + state * (c->segments + 1), full = level[c->segments];
        double target = level[s] + climbed(c, s, state, u) + exponential[i], ratio = target * c->once[state];
        if (target >= full) {
            if (c->resets) {
                period++, s = 0, u = 0.0;
                state = drawn(c->states, c->start, uniform[i]);
                at[3] = period > last;
                continue;
            }
            if (!(ratio <= (double)(last - period) + 1.0)) { /* beyond the end, or never */
                at[3] = 1;
                continue;
            }
            const whole skipped = (whole)ratio;
            period += skipped;
            target -= (double)skipped * full;
            ratio -= (double)skipped;
            if (target < 0.0) target = 0.0;
        }
        const whole mark = (whole)(ratio * (double)c->guides); /* the last segment with level[s] <= target */
        s = c->guide[state * c->guides + (mark < c->guides ? mark : c->guides - 1)];
        while (s + 1 < c->segments && level[s + 1] <= target) s++;
        while (s > 0 && !(level[s + 1] > level[s])) s--; /* at a rounded end of the period: the last segment in which anything happens */
        u = inverse(c, s, state, target - level[s], e);
        const whole now = period * c->period_ps + down(c->begin_ps[s] + u * c->length_ps[s] + (double)period * c->period_fraction_ps);
        if (now >= end_ps) {
            at[3] = 1;
            continue;
        }
        envelopes(c, s, u, e);
        const whole row = c->group[s] * c->states + state;
        double left = uniform[i] * slope(c, s, c->leave + row * width, e);
        int k = c->first[row];
        const int behind = c->first[row + 1];
        for (int q = k; q < behind; q++) {
            const double rate = slope(c, s, c->rate + q * width, e);
            if (rate > 0.0) k = q;
            left -= rate;
            if (left < 0.0) break;
        }
        state = c->to[k];
        if (c->seen[k] >= 0) {
            time_ps[found] = now;
            seen[found++] = c->seen[k];
        }
    }
    at[0] = period, at[1] = s, at[2] = state, *place = u;
    return found;
}

/* --------------------------------------------------------------------------------------------------------- trajectory */

typedef struct {
    whole states, spans, terms, width, jumps, detectors, ladder, order, starts;
    const int *group, *degree, *depth, *rung; /* of each span: 2^depth leaves, propagators from number `rung` on; degree -1: constant */
    const double *begin_ps, *length_ps, *scale; /* of each span; length and scale of one leaf */
    const double *envelope;                     /* (spans, terms, width) */
    const int *begins, *beside;                 /* generators (groups, 1 + terms) by compressed rows: (groups (1 + terms) n + 1), columns */
    const double *generator;                    /* and their entries, complex, as all matrices here are */
    const double *propagator;                   /* over 1, 2, 4, ... leaves of each span */
    const double *rest;                         /* (spans) from the start of a span to the end of the period */
    const double *periods;                      /* (ladder) over 1, 2, 4, ... periods */
    const int *first, *row, *column;            /* (jumps + 1) and entries of the jump operators */
    const double *value;
    const double *weight;                       /* (groups, jumps, 1 + terms) */
    const double *sent;                         /* (jumps, detectors) cumulated probabilities */
    const double *start, *chance;               /* (starts, n) and their cumulated probabilities */
    whole resets;
    whole period_ps;
    double period_fraction_ps;
} Trajectory;

typedef struct {
    double *psi, *next, *mixed, *series, *e, *shifted, *strength;
} Desk;

static double square(whole n, const double *x)
{
    double sum = 0.0;
    for (whole i = 0; i < 2 * n; i++) sum += x[i] * x[i];
    return sum;
}

/* y = m x */
static void apply(whole n, const double *m, const double *x, double *y)
{
    for (whole i = 0; i < n; i++) {
        double re = 0.0, im = 0.0;
        for (whole j = 0; j < n; j++) {
            const double a = m[2 * (i * n + j)], b = m[2 * (i * n + j) + 1];
            re += a * x[2 * j] - b * x[2 * j + 1];
            im += a * x[2 * j + 1] + b * x[2 * j];
        }
        y[2 * i] = re, y[2 * i + 1] = im;
    }
}

/* y += m x for generator number `which` */
static void generate(const Trajectory *c, whole which, const double *x, double *y)
{
    const int *begins = c->begins + which * c->states;
    for (whole i = 0; i < c->states; i++) {
        double re = y[2 * i], im = y[2 * i + 1];
        for (int q = begins[i]; q < begins[i + 1]; q++) {
            const double a = c->generator[2 * q], b = c->generator[2 * q + 1], *in = x + 2 * c->beside[q];
            re += a * in[0] - b * in[1];
            im += a * in[1] + b * in[0];
        }
        y[2 * i] = re, y[2 * i + 1] = im;
    }
}

/* 1 and psi moved on, if the wave function survives the propagator with more than `limit` */
static int survives(const Trajectory *c, Desk *d, const double *m, double limit)
{
    apply(c->states, m, d->psi, d->next);
    if (!(square(c->states, d->next) > limit)) return 0;
    memcpy(d->psi, d->next, (size_t)(2 * c->states) * sizeof(double));
    return 1;
}

/* sum_k series_k w^k */
static void summed(whole n, int count, const double *series, double w, double *y)
{
    for (whole i = 0; i < 2 * n; i++) y[i] = series[count * 2 * n + i];
    for (int k = count - 1; k >= 0; k--)
        for (whole i = 0; i < 2 * n; i++) y[i] = y[i] * w + series[k * 2 * n + i];
}

/* Taylor series of psi from the fraction v of a leaf on, in fractions of it; returns its degree */
static int expanded(const Trajectory *c, Desk *d, whole s, double v)
{
    const whole n = c->states, size = 2 * n;
    const whole which = c->group[s] * (1 + c->terms);
    const int degree = c->degree[s];
    if (degree >= 0)
        for (whole t = 0; t < c->terms; t++) { /* the envelopes from v on, by repeated division */
            double *p = d->shifted + t * c->width;
            memcpy(p, c->envelope + (s * c->terms + t) * c->width, (size_t)c->width * sizeof(double));
            for (int k = 0; k < degree; k++)
                for (int j = degree - 1; j >= k; j--) p[j] += v * p[j + 1];
        }
    double most = 0.0;
    for (whole i = 0; i < size; i++) most = fabs(d->psi[i]) > most ? fabs(d->psi[i]) : most;
    memcpy(d->series, d->psi, (size_t)size * sizeof(double));
    int small = 0;
    for (int k = 0; k < c->order; k++) {
        double *term = d->series + (k + 1) * size, biggest = 0.0;
        for (whole i = 0; i < size; i++) term[i] = 0.0;
        generate(c, which, d->series + k * size, term);
        if (degree >= 0)
            for (whole t = 0; t < c->terms; t++) {
                for (whole i = 0; i < size; i++) d->mixed[i] = 0.0;
                for (int j = 0; j <= degree && j <= k; j++) {
                    const double x = d->shifted[t * c->width + j], *back = d->series + (k - j) * size;
                    for (whole i = 0; i < size; i++) d->mixed[i] += x * back[i];
                }
                generate(c, which + 1 + t, d->mixed, term);
            }
        for (whole i = 0; i < size; i++) {
            term[i] *= c->scale[s] / (k + 1);
            biggest = fabs(term[i]) > biggest ? fabs(term[i]) : biggest;
        }
        small = biggest <= 1e-18 * most ? small + 1 : 0;
        if (small > (degree >= 0) && k >= degree) return k + 1; /* an envelope may begin with powers that are zero */
    }
    return (int)c->order;
}

/* From the fraction *v of a leaf: 1 with psi and *v where |psi|^2 falls to `limit`, or 0 with psi at the end of the leaf. */
static int leaf_holds(const Trajectory *c, Desk *d, whole s, double limit, double *v)
{
    const whole n = c->states;
    const int count = expanded(c, d, s, *v);
    const double length = 1.0 - *v;
    summed(n, count, d->series, length, d->next);
    const double at_end = square(n, d->next);
    if (at_end > limit) {
        memcpy(d->psi, d->next, (size_t)(2 * n) * sizeof(double));
        return 0;
    }
    const double at_start = square(n, d->psi);
    double low = 0.0, high = length, w = at_start > at_end ? length * (at_start - limit) / (at_start - at_end) : 0.0;
    for (int i = 0; i < 100; i++) {
        if (!(w > low && w < high)) w = 0.5 * (low + high);
        double miss = -limit, fall = 0.0;
        for (whole q = 0; q < 2 * n; q++) d->next[q] = d->series[count * 2 * n + q], d->mixed[q] = 0.0;
        for (int k = count - 1; k >= 0; k--) /* psi and its slope together */
            for (whole q = 0; q < 2 * n; q++) {
                d->mixed[q] = d->mixed[q] * w + d->next[q];
                d->next[q] = d->next[q] * w + d->series[k * 2 * n + q];
            }
        for (whole q = 0; q < 2 * n; q++) {
            miss += d->next[q] * d->next[q];
            fall += 2.0 * d->next[q] * d->mixed[q];
        }
        if (miss > 0.0) low = w;
        else high = w;
        const double step = fall < 0.0 ? -miss / fall : -2.0;
        if (high - low <= 1e-16) break;
        if (fabs(step) <= CLOSE) { /* the next step would be its square */
            for (whole q = 0; q < 2 * n; q++) d->next[q] += step * d->mixed[q];
            w = within(w + step, length);
            break;
        }
        w += step;
    }
    memcpy(d->psi, d->next, (size_t)(2 * n) * sizeof(double));
    *v += w;
    return 1;
}

/* From *leaf and *v to the end of a span: 1 where the jump is, or 0. Powers of two of leaves, upwards while nothing happens, then downwards. */
static int span_holds(const Trajectory *c, Desk *d, whole s, double limit, whole *leaf, double *v)
{
    const whole size = (whole)1 << c->depth[s], matrix = 2 * c->states * c->states;
    if (*v > 0.0) {
        if (leaf_holds(c, d, s, limit, v)) return 1;
        ++*leaf, *v = 0.0;
    }
    int rises = *leaf > 0, m = rises ? 0 : c->depth[s];
    while (*leaf < size) {
        const int fits = *leaf + ((whole)1 << m) <= size;
        if (fits && survives(c, d, c->propagator + (c->rung[s] + m) * matrix, limit)) {
            *leaf += (whole)1 << m;
            if (m == 0) rises = 1;
            m = rises ? (m < c->depth[s] ? m + 1 : m) : m - 1;
        } else if (m > 0) {
            rises = 0, m--;
        } else {
            if (leaf_holds(c, d, s, limit, v)) return 1;
            ++*leaf, rises = 1;
        }
    }
    return 0;
}

/* whole periods in which nothing happens, up to `most`; returns their number */
static whole skipped(const Trajectory *c, Desk *d, double limit, whole most)
{
    const whole matrix = 2 * c->states * c->states;
    whole done = 0;
    int rises = 1, m = 0;
    while (m >= 0 && done < most) {
        if (done + ((whole)1 << m) <= most && survives(c, d, c->periods + m * matrix, limit)) {
            done += (whole)1 << m;
            m = rises ? (m + 1 < c->ladder ? m + 1 : m) : m - 1;
        } else
            rises = 0, m--;
    }
    return done;
}

static double strength(const Trajectory *c, whole s, const double *row, const double *e)
{
    double sum = row[0];
    if (c->degree[s] >= 0)
        for (whole t = 0; t < c->terms; t++) sum += row[1 + t] * e[t];
    return sum > 0.0 ? sum : 0.0;
}

/* next = c_k psi; returns its square */
static double jumped(const Trajectory *c, Desk *d, whole k)
{
    for (whole i = 0; i < 2 * c->states; i++) d->next[i] = 0.0;
    for (int q = c->first[k]; q < c->first[k + 1]; q++) {
        const double a = c->value[2 * q], b = c->value[2 * q + 1], *x = d->psi + 2 * c->column[q];
        d->next[2 * c->row[q]] += a * x[0] - b * x[1];
        d->next[2 * c->row[q] + 1] += a * x[1] + b * x[0];
    }
    return square(c->states, d->next);
}

/* Follows the wave function while draws last. at: period, span, leaf, 1 once the end is reached; place: fraction of the leaf; psi: normalised.
 * work: 3 n + (order + 1) n complex, then terms, terms width, jumps. Returns the photons written. */
whole trajectory_follow(const Trajectory *c, whole draws, const double *uniform, const double *which, whole end_ps, whole last, whole *at, double *place,
                        double *psi, double *work, whole *time_ps, int *seen)
{
    const whole n = c->states, matrix = 2 * n * n;
    Desk desk = {work, work + 2 * n, work + 4 * n, work + 6 * n, 0, 0, 0}, *d = &desk;
    d->e = d->series + (c->order + 1) * 2 * n;
    d->shifted = d->e + c->terms;
    d->strength = d->shifted + c->terms * c->width;
    whole period = at[0], s = at[1], leaf = at[2], found = 0;
    double v = *place;
    memcpy(d->psi, psi, (size_t)(2 * n) * sizeof(double));
    for (whole i = 0; i < draws && !at[3]; i++) {
        const double limit = 1.0 - uniform[i];
        int holds = 0, ends = 0;
        while (!holds && !ends) {
            if (s == 0 && leaf == 0 && v == 0.0 && !c->resets) {
                period += skipped(c, d, limit, last - period + 1);
                if (period > last) break;
            }
            while (s < c->spans && !holds) {
                if (leaf == 0 && v == 0.0 && survives(c, d, c->rest + s * matrix, limit)) break;
                holds = span_holds(c, d, s, limit, &leaf, &v);
                if (!holds) s++, leaf = 0, v = 0.0;
            }
            if (!holds) {
                period++, s = 0, leaf = 0, v = 0.0;
                ends = c->resets || period > last;
            }
        }
        if (period > last) {
            at[3] = 1;
            continue;
        }
        if (!holds) { /* the next shot */
            const whole chosen = drawn(c->starts, c->chance, which[i]);
            memcpy(d->psi, c->start + chosen * 2 * n, (size_t)(2 * n) * sizeof(double));
            continue;
        }
        const whole now = period * c->period_ps + down(c->begin_ps[s] + ((double)leaf + v) * c->length_ps[s] + (double)period * c->period_fraction_ps);
        if (now >= end_ps) {
            at[3] = 1;
            continue;
        }
        if (c->degree[s] >= 0)
            for (whole t = 0; t < c->terms; t++) d->e[t] = horner(c->degree[s], c->envelope + (s * c->terms + t) * c->width, v);
        double total = 0.0;
        for (whole k = 0; k < c->jumps; k++) {
            d->strength[k] = strength(c, s, c->weight + (c->group[s] * c->jumps + k) * (1 + c->terms), d->e);
            if (d->strength[k] > 0.0) d->strength[k] *= jumped(c, d, k);
            total += d->strength[k];
        }
        double left = which[i] * total;
        whole chosen = -1;
        for (whole k = 0; k < c->jumps; k++) {
            if (!(d->strength[k] > 0.0)) continue;
            chosen = k;
            if (left < d->strength[k]) break;
            left -= d->strength[k];
        }
        if (chosen < 0) { /* the survival fell by round-off alone: draw again */
            const double left_over = sqrt(square(n, d->psi));
            for (whole q = 0; q < 2 * n; q++) d->psi[q] /= left_over;
            continue;
        }
        const double size = sqrt(jumped(c, d, chosen)), part = left / d->strength[chosen];
        for (whole q = 0; q < 2 * n; q++) d->psi[q] = d->next[q] / size;
        for (whole q = 0; q < c->detectors; q++)
            if (part < c->sent[chosen * c->detectors + q]) {
                time_ps[found] = now;
                seen[found++] = (int)q;
                break;
            }
    }
    memcpy(psi, d->psi, (size_t)(2 * n) * sizeof(double));
    at[0] = period, at[1] = s, at[2] = leaf, *place = v;
    return found;
}

/* ----------------------------------------------------------------------------------------------------------- detector */

/* the earliest of a heap, which it leaves */
static whole earliest(whole *heap, whole size)
{
    const whole top = heap[0], moved = heap[size - 1];
    whole i = 0;
    for (whole child = 1; child < size - 1; child = 2 * i + 1) {
        if (child + 1 < size - 1 && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= moved) break;
        heap[i] = heap[child], i = child;
    }
    heap[i] = moved;
    return top;
}

static void awaited(whole *heap, whole size, whole time)
{
    whole i = size;
    while (i > 0 && heap[(i - 1) / 2] > time) heap[i] = heap[(i - 1) / 2], i = (i - 1) / 2;
    heap[i] = time;
}

/* Which counts are registered, false ones included, while draws last. counts (n,): in the order of time; at: the next of them, when the detector is free,
 * false counts that wait, 1 at the end; heap: room for as many as wait and draws. Returns the number registered. */
whole detector_register(const whole *counts, whole n, whole draws, const double *uniform, const double *exponential, double probability, double mean_ps,
                        whole dead_ps, whole paralysable, whole end_ps, whole *at, whole *heap, whole *registered)
{
    whole next = at[0], found = 0;
    while (found < draws) {
        whole now;
        if (at[2] > 0 && (next == n || heap[0] <= counts[next])) now = earliest(heap, at[2]--);
        else if (next < n) now = counts[next++];
        else {
            at[3] = 1;
            break;
        }
        if (now >= at[1]) {
            if (uniform[found] < probability) {
                const double later = exponential[found] * mean_ps;
                if (later < (double)(end_ps - now)) awaited(heap, at[2]++, now + dead_ps + (whole)floor(later));
            }
            registered[found++] = now;
            at[1] = now + dead_ps;
        } else if (paralysable)
            at[1] = now + dead_ps;
    }
    at[0] = next;
    return found;
}

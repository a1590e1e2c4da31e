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

/* Raised with every change of the arguments, so that a library left over from another version is not called. */
whole events_version(void) { return 1; }

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
    const double *leave;               /* (groups, states, 1 + terms) total rate out of a state */
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
        const double u = rest / (leave[0] * c->scale[s]);
        return u < 1.0 ? u : 1.0;
    }
    double low = 0.0, high = 1.0, u = rest / (c->level[state * (c->segments + 1) + s + 1] - c->level[state * (c->segments + 1) + s]);
    for (int i = 0; i < 100; i++) {
        if (!(u > low && u < high)) u = 0.5 * (low + high);
        const double miss = climbed(c, s, state, u) - rest;
        if (miss > 0.0) high = u;
        else low = u;
        envelopes(c, s, u, e);
        const double rise = slope(c, s, leave, e) * c->scale[s], next = rise > 0.0 ? u - miss / rise : -1.0;
        if (fabs(next - u) <= 1e-15 || high - low <= 1e-16) break;
        u = next;
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
        double target = level[s] + climbed(c, s, state, u) + exponential[i];
        if (target >= full) {
            if (c->resets) {
                period++, s = 0, u = 0.0;
                state = drawn(c->states, c->start, uniform[i]);
                at[3] = period > last;
                continue;
            }
            const double skipped = full > 0.0 ? floor(target / full) : INFINITY;
            if (skipped > (double)(last - period)) {
                at[3] = 1;
                continue;
            }
            period += (whole)skipped;
            target -= skipped * full;
            if (target < 0.0) target = 0.0;
        }
        whole low = 0, high = c->segments; /* level[low] <= target < level[high] */
        while (high - low > 1) {
            const whole middle = (low + high) / 2;
            if (level[middle] <= target) low = middle;
            else high = middle;
        }
        s = low;
        while (s > 0 && !(level[s + 1] > level[s])) s--; /* at a rounded end of the period: the last segment in which anything happens */
        u = inverse(c, s, state, target - level[s], e);
        const whole now = period * c->period_ps + (whole)floor(c->begin_ps[s] + u * c->length_ps[s] + (double)period * c->period_fraction_ps);
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

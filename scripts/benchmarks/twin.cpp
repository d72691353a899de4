// The two kernels once more in C++, for comparison: Black-76 by the same formulae, and the fused sparse tail.
// Built by twin.py with the system's compiler; the constants of the formulae come from there as macros.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace {

// Eight options at a time where the processor has the registers, else four.
#ifdef __AVX512F__
constexpr int WIDE = 8;
#else
constexpr int WIDE = 4;
#endif
typedef double Doubles __attribute__((vector_size(8 * WIDE), aligned(8), may_alias));
typedef std::int64_t Integers __attribute__((vector_size(8 * WIDE), aligned(8), may_alias));

Doubles root(Doubles x) {
#ifdef __AVX512F__
    return _mm512_sqrt_pd(x);
#else
    for (int j = 0; j < WIDE; ++j) x[j] = std::sqrt(x[j]);
    return x;
#endif
}

// Products and sums below become fused operations, as the compilers do by default.
Doubles exponential(Doubles x) {
    const double rounding = 6755399441055744.0;
    const Doubles shifted = x * 1.4426950408889634 + rounding, n = shifted - rounding;
    const Doubles r = -n * 1.9082149292705877e-10 + (-n * 0.6931471803691238 + x);
    const Doubles r2 = r * r, r4 = r2 * r2;
    const Doubles low = r2 * (r * (1.0 / 6) + 0.5) + (1.0 + r);
    const Doubles middle = r2 * (r * (1.0 / 5040) + 1.0 / 720) + (r * (1.0 / 120) + 1.0 / 24);
    const Doubles high = r2 * (r * (1.0 / 39916800) + 1.0 / 3628800) + (r * (1.0 / 362880) + 1.0 / 40320);
    const Doubles sum = r4 * (r4 * (r4 * (1.0 / 479001600) + high) + middle) + low;
    return sum * (Doubles)(((Integers)shifted + 1023) << 52);
}

template <int N> Doubles polynomial(Doubles y, const double (&c)[N]) {
    const Doubles y2 = y * y, y4 = y2 * y2;
    const Doubles low = y2 * (y * c[3] + c[2]) + (y * c[1] + c[0]);
    const Doubles high = y2 * (y * c[7] + c[6]) + (y * c[5] + c[4]);
    const Doubles top = N == 10 ? y * c[N - 1] + c[8] : Doubles{} + c[8];
    return y4 * (y4 * top + high) + low;
}

constexpr double P[9] = {NUMERATOR};
constexpr double Q[10] = {DENOMINATOR};

constexpr int STRIP = 64;

// Which of 64 values lie below a bound, as bits.
template <typename T> std::uint64_t below(const T* y, T bound) {
    std::uint64_t mask = 0;
#ifdef __AVX512F__
    if constexpr (sizeof(T) == 4) {
        for (int j = 0; j < STRIP; j += 16)
            mask |= std::uint64_t(_mm512_cmp_ps_mask(_mm512_loadu_ps(y + j), _mm512_set1_ps(bound), _CMP_LT_OQ)) << j;
        return mask;
    } else {
        for (int j = 0; j < STRIP; j += 8)
            mask |= std::uint64_t(_mm512_cmp_pd_mask(_mm512_loadu_pd(y + j), _mm512_set1_pd(bound), _CMP_LT_OQ)) << j;
        return mask;
    }
#else
    for (int j = 0; j < STRIP; ++j) mask |= std::uint64_t(y[j] < bound) << j;
    return mask;
#endif
}

// The lower tail of one account: values below a threshold, which falls when there are too many.
template <typename T> struct Tail {
    std::vector<T> kept;
    int n = 0;
    T threshold = std::numeric_limits<T>::infinity();

    // Lower the threshold to a value with at least k at or below it, and few more; keep those.
    void tighten(int k) {
        T low = *std::min_element(kept.begin(), kept.begin() + n), high = *std::max_element(kept.begin(), kept.begin() + n);
        for (int count = n, step = 0; count > k + k / 8 && step < 60; ++step) {
            const T middle = T(0.5) * low + T(0.5) * high;
            if (!(low < middle && middle < high)) break;
            int met = 0;
            for (int i = 0; i < n; ++i) met += kept[i] <= middle;
            if (met >= k) high = middle, count = met;
            else low = middle;
        }
        int m = 0;
        for (int i = 0; i < n; ++i) {
            const T value = kept[i];
            kept[m] = value;
            m += value <= high;
        }
        n = m;
        threshold = high;
    }

    double shortfall(int k, double mass) {
        std::nth_element(kept.begin(), kept.begin() + k - 1, kept.begin() + n);
        const double t = kept[k - 1];
        double sum = 0;
        for (int i = 0; i < k - 1; ++i) sum += kept[i];
        return -(sum + (mass - (k - 1)) * t) / mass;
    }
};

template <typename T, int TILE>
void shortfalls(const T* tiles, long count, long instruments, const long* indptr, const int* instrument,
                const T* quantity, long accounts, int k, double mass, double* out) {
    typedef T Vector __attribute__((vector_size(64), aligned(sizeof(T)), may_alias));
    constexpr int LANES = 64 / sizeof(T), VECTORS = STRIP / LANES;
    const long block = 1024;
    const int full = k + k / 2 + STRIP;
    std::vector<Tail<T>> tails(std::min(block, accounts));
    for (auto& tail : tails) tail.kept.resize(full + STRIP);
    for (long begin = 0; begin < accounts; begin += block) {
        const long end = std::min(begin + block, accounts);
        for (long a = begin; a < end; ++a) tails[a - begin].n = 0, tails[a - begin].threshold = std::numeric_limits<T>::infinity();
        for (long t = 0; t < count; ++t)
            for (long a = begin; a < end; ++a) {
                Tail<T>& tail = tails[a - begin];
                for (int first = 0; first < TILE; first += STRIP) {
                    const T* base = tiles + t * instruments * TILE + first;
                    Vector sum[VECTORS] = {};
                    for (long p = indptr[a]; p < indptr[a + 1]; ++p) {
                        const T* row = base + long(instrument[p]) * TILE;
#pragma GCC unroll 8
                        for (int v = 0; v < VECTORS; ++v)
                            sum[v] += quantity[p] * *reinterpret_cast<const Vector*>(row + v * LANES);
                    }
                    alignas(64) T y[STRIP];
                    std::memcpy(y, sum, sizeof y);
                    for (std::uint64_t mask = below(y, tail.threshold); mask; mask &= mask - 1)
                        tail.kept[tail.n++] = y[__builtin_ctzll(mask)];
                    if (tail.n >= full) tail.tighten(k);
                }
            }
        for (long a = begin; a < end; ++a) out[a] = tails[a - begin].shortfall(k, mass);
    }
}

}  // namespace

extern "C" {

// n is a multiple of eight.
void twin_price(const double* strike, const double* log_strike, long strikes, const double* __restrict forward,
                const double* __restrict log_forward, const double* __restrict variance, long n, double* __restrict out) {
    for (long row = 0; row < strikes; ++row) {
        const double k = strike[row], lk = log_strike[row];
        double* __restrict to = out + row * n;
        for (long j = 0; j + WIDE <= n; j += WIDE) {
            const Doubles f = *(const Doubles*)(forward + j), lf = *(const Doubles*)(log_forward + j);
            const Doubles w = root(*(const Doubles*)(variance + j)), d1 = 0.5 * w + (lf - lk) / w, d2 = d1 - w;
            Doubles y1 = d1 < 0 ? -d1 : d1, y2 = d2 < 0 ? -d2 : d2;
            y1 = y1 > 37.5 ? Doubles{} + 37.5 : y1;
            y2 = y2 > 37.5 ? Doubles{} + 37.5 : y2;
            const Doubles q1 = polynomial(y1, Q), q2 = polynomial(y2, Q);
            const Doubles scale = f * exponential(-0.5 * y1 * y1) / (q1 * q2);
            const Doubles a = polynomial(y1, P) * q2 * scale, b = polynomial(y2, P) * q1 * scale;
            const Doubles price = (d1 > 0 ? f - a : a) - (d2 > 0 ? k - b : b);
            *(Doubles*)(to + j) = price < 0 ? Doubles{} : price;
        }
    }
}

void twin_tail64(const double* tiles, long count, long instruments, const long* indptr, const int* instrument,
                 const double* quantity, long accounts, int k, double mass, double* out) {
    shortfalls<double, 128>(tiles, count, instruments, indptr, instrument, quantity, accounts, k, mass, out);
}

void twin_tail32(const float* tiles, long count, long instruments, const long* indptr, const int* instrument,
                 const float* quantity, long accounts, int k, double mass, double* out) {
    shortfalls<float, 256>(tiles, count, instruments, indptr, instrument, quantity, accounts, k, mass, out);
}
}

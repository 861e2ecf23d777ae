/* model.h: the trained model behind classifier.h: its file, and opening it.
 *
 *   "#TaylorSwift" ─fold─▶ "taylorswift" ─spelling─▶ "taylor swift" ─┬─ known phrases: topics that a list gives it
 *                                                                   ├─ words:  vectors of its words, averaged   (100)
 *                                                                   └─ encoder: pieces ─▶ small transformer      (512)
 *                                     features (612) ─▶ head: a logit per topic, one for "is an interest"
 *                                                    ─▶ projection: the embedding
 *
 *   encoder  The Universal Sentence Encoder's "lite" transformer (Cer et al. 2018): 8,002 unigram pieces (Kudo 2018), two
 *            pre-norm layers of 4 heads (256 ─▶ 512 wide, feed-forward 1,536), mean over tokens, a tanh layer, unit
 *            length. Weights are int8 with a scale per output row; activations are quantised per token (symmetric,
 *            int8), so that every kernel (portable, AVX2, AVX-512 VNNI) gives the same integers.
 *   words    GloVe (Pennington et al. 2014), product-quantised (Jégou et al. 2011) to 20 bytes a word; the sum is weighted by
 *            smooth inverse frequency (Arora et al. 2017), then scaled to unit length.
 *   spelling A word nobody knows is replaced by the most frequent word one edit away, or split into words that are known;
 *            a phrase nobody knows by the known phrase one edit away.
 *
 * The file is little-endian: the magic "KNDRMDL1", the number of tensors (u32), 4 zero bytes, the
 * XXH3-64 of everything behind these 24 bytes (u64), then a descriptor per tensor (64 bytes: name,
 * NUL-padded to 32; type u8: 1 u8, 2 i8, 3 u32, 4 f32; rank u8; 6 zero bytes; dimensions u32 x 4;
 * offset from the file's start u64), then the tensors, each at a multiple of 64, row-major. Opening
 * checks the digest, every bound and every shape; a file that passes cannot make classify read
 * outside of it.
 *
 * Threading: immutable after opening, any thread. Owned by caller; the bytes given to model_open
 * are borrowed for the model's life. Failure: ERR_CORRUPT with error naming the tensor; ERR_MEMORY.
 * classify itself cannot fail. */
#ifndef KINDRED_CLASSIFIER_MODEL_H
#define KINDRED_CLASSIFIER_MODEL_H

#include "base/err.h"
#include "classifier/classifier.h"

struct model;

/* bytes.data is 4-byte aligned (64 is faster). Copies the matrices into the kernel's order: some 7
 * MB besides the file. */
err model_open(struct slice bytes, struct model **out, struct error *error) MUST_USE;
void model_close(struct model *model);

/* The door. Borrowed until model_close. */
const struct classifier *model_classifier(const struct model *model);

/* What went on inside, for people who ask why (`explain=true`). */
enum { EXPLAIN_NEAREST_MAX = 5, EXPLAIN_TEXT_MAX = 256 };
struct model_explanation {
    /* calibrated probability of each topic, below the threshold too */
    float scores[CLASSIFIER_TOPICS_MAX];
    float interest; /* that it is an interest at all */
    /* the phrase, as corrected, stands in the lists the model was trained on */
    bool known;
    char read_as[EXPLAIN_TEXT_MAX]; /* after folding and spelling; NUL-terminated */
    bool corrected;                 /* read_as differs from the folded phrase */
    struct {
        char phrase[EXPLAIN_TEXT_MAX];
        float similarity;           /* cosine, -1 to 1 */
    } nearest[EXPLAIN_NEAREST_MAX]; /* known phrases, nearest first */
    size_t nearest_count;
};
void model_explain(const struct model *model, void *scratch, struct slice phrase,
                   struct verdict *verdict, struct model_explanation *out);

/* Which kernel runs here ("portable", "avx2", "avx512vnni"), for logs and benches. */
const char *model_kernel(const struct model *model);

#endif

/* pieces.h: a phrase cut into the encoder's pieces: the most likely cut under a unigram model (Kudo
 * 2018), by Viterbi.
 *
 *   "Tom Brady" ─▶ "▁Tom▁Brady" ─▶ ▁Tom | ▁Bra | dy ─▶ 2736 4027 48
 *
 * Pieces lie in a trie whose edges (node, byte ─▶ node) are in one open-addressing table. A character that is no piece is
 * piece 0; neighbours of that kind are one.
 *
 * Threading: immutable, any thread. Failure: ERR_CORRUPT, ERR_MEMORY. */
#ifndef KINDRED_CLASSIFIER_PIECES_H
#define KINDRED_CLASSIFIER_PIECES_H

#include "classifier/fold.h"
#include "model_file.h"

enum { PIECES_MAX = 65536, PIECES_RESERVED = 6, TOKENS_MAX = 32 };

struct pieces {
    struct piece_edge {
        uint32_t key;  /* node * 256 + byte, plus 1; 0: free */
        uint32_t node; /* where it leads */
    } * edges;
    uint32_t edge_mask;
    uint32_t *piece_of; /* by node: piece + 1; 0: no piece ends here */
    const float *score;
    size_t count;
};

err pieces_open(struct pieces *pieces, const struct model_file *file, struct error *error) MUST_USE;
void pieces_close(struct pieces *pieces);

/* Valid UTF-8 of at most PHRASE_FOLD_MAX bytes; what goes beyond TOKENS_MAX pieces is left off.
 * Returns how many. */
size_t pieces_cut(const struct pieces *pieces, struct slice text, uint16_t tokens[TOKENS_MAX]);

#endif

/* Two letters of a country, then a number as typed. What comes out is E.164 and stays so. */
#include "ingest_checks.h"

#include "phone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes < 2) {
        return 0;
    }
    char country[3] = {(char)data[0], (char)data[1], '\0'};
    char once[PHONE_TEXT_MAX];
    char twice[PHONE_TEXT_MAX];
    size_t length = phone_normalise(slice_of(data + 2, size_bytes - 2), country, once);
    if (length == 0) {
        return 0;
    }
    CHECK(length <= 16 && length == strlen(once) && once[0] == '+' && once[1] != '0');
    CHECK(strspn(once + 1, "0123456789") == length - 1);
    CHECK(phone_normalise(slice_of(once, length), "", twice) == length && strcmp(once, twice) == 0);
    return 0;
}

/* model_data.c: the model file as read-only data (see CMakeLists.txt). The assembler takes it as it
 * is: 22 MB as a C array would take the compiler minutes. */
extern const unsigned char kindred_model_start[];
extern const unsigned char kindred_model_end[];

__asm__(".pushsection .rodata\n"
        ".global kindred_model_start\n"
        ".global kindred_model_end\n"
        ".balign 64\n"
        "kindred_model_start:\n"
        ".incbin \"" KINDRED_MODEL_FILE "\"\n"
        "kindred_model_end:\n"
        ".byte 0\n"
        ".popsection\n");

// Gives the fields that search as one types (select2) the name that their label has for those who hear the page.
django.jQuery(() => {
    for (const select of document.querySelectorAll("select.admin-autocomplete")) {
        const shown = select.parentElement.querySelector(".select2-selection__rendered");
        const [label] = select.labels;
        if (shown && label) {
            shown.setAttribute("aria-label", label.innerText.replace("*", "").trim());
        }
    }
});
